/**
 * Keeps what a client has sent compressed, as far as its next messages may refer to it (RFC 7692, context takeover):
 * zlib's window can't be read from Node, but another inflater can be given it as a dictionary.
 * The other direction needs nothing: a compressor may begin anew with any message.
 */

import type { Deflate } from './ws-internals.ts';

/** The largest window of DEFLATE. */
const WINDOW_BYTES = 32 * 1024;

const histories = new WeakMap<Deflate, InflateHistory>();

interface InflateHistory {
  readonly bytes: Buffer;
  /** Of what was ever written; the last WINDOW_BYTES of it are there. */
  end: number;
}

/** Begins with what came before, where the connection has been carried already. */
export function keepInflated(deflate: Deflate, before: Uint8Array = Buffer.alloc(0)): void {
  if (!hasClientContext(deflate)) return;
  const decompress = deflate.decompress.bind(deflate);
  if (before.length > 0) append(deflate, before);
  deflate.decompress = (data, fin, callback) => {
    decompress(data, fin, (error, inflated) => {
      if (error === null && inflated !== undefined) append(deflate, inflated);
      callback(error, inflated);
    });
  };
}

/** What an inflater must know to go on. */
export function inflatedBefore(deflate: Deflate): Buffer {
  const history = histories.get(deflate);
  if (history === undefined) return Buffer.alloc(0);
  const { bytes, end } = history;
  if (end <= WINDOW_BYTES) return bytes.subarray(0, end);
  const split = end % WINDOW_BYTES;
  return Buffer.concat([bytes.subarray(split), bytes.subarray(0, split)]);
}

/** Whether all that was inflated is known here. */
export function isInflateKnown(deflate: Deflate): boolean {
  return !hasClientContext(deflate) || Object.hasOwn(deflate, 'decompress');
}

function hasClientContext({ params }: Deflate): boolean {
  return params['client_no_context_takeover'] !== true;
}

function append(deflate: Deflate, data: Uint8Array): void {
  let history = histories.get(deflate);
  if (history === undefined) {
    history = { bytes: Buffer.allocUnsafeSlow(WINDOW_BYTES), end: 0 };
    histories.set(deflate, history);
  }
  const tail = data.subarray(-WINDOW_BYTES);
  history.end += data.length - tail.length;
  const at = history.end % WINDOW_BYTES;
  const head = tail.subarray(0, WINDOW_BYTES - at);
  history.bytes.set(head, at);
  history.bytes.set(tail.subarray(head.length), 0);
  history.end += tail.length;
}
