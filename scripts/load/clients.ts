/** The kinds of clients. Each is an endless row of exchanges, one after the other, until it is told to stop. */

import { Agent } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { exchange } from './exchange.ts';
import type { Tally } from './tally.ts';
import { toThinkMs, type ThinkTime } from './think-time.ts';

export interface ClientOptions {
  readonly origin: string;
  readonly tally: Tally;
  readonly signal: AbortSignal;
  readonly think: ThinkTime;
  readonly slowPath: string;
  /** The time between two of the 8 pieces of an upload. */
  readonly uploadPauseMs: number;
  /** Answers with 10 events. */
  readonly eventsPath: string;
}

export type Client = (options: ClientOptions) => Promise<void>;

/** The reason of a failure that a client without strictness does not see. */
export const CLOSED_WHILE_IDLE = 'closed while idle, without Connection: close';

const UPLOAD_PIECES = 8;
const UPLOAD_PIECE_BYTES = 16 * 1024;
const EVENTS_EXPECTED = 10;

/** One connection for all its requests, with think time: the client that meets a server's close at the wrong moment. */
export const keepAlive: Client = async (options) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  await repeat('keepAlive', options, async ({ origin }) =>
    toVersion(await exchange({ url: `${origin}/`, agent })),
  );
  agent.destroy();
};

/** The same, and it takes a connection for usable until `Connection: close` was said: one that the server closed while it
 *  was idle fails the next request. Across a network that request would have been on its way. */
export const strict: Client = async (options) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let kept: Socket | undefined;
  // Not emitted after `Connection: close`.
  agent.on('free', (socket: Socket) => (kept = socket));
  await repeat('strict', options, async ({ origin }) => {
    const connection = kept;
    kept = undefined;
    if (connection?.destroyed === true || connection?.readableEnded === true)
      throw new Error(CLOSED_WHILE_IDLE);
    return toVersion(await exchange({ url: `${origin}/`, agent }));
  });
  agent.destroy();
};

/** A connection for each request. */
export const newConnection: Client = (options) =>
  repeat('newConnection', options, async ({ origin }) =>
    toVersion(await exchange({ url: `${origin}/`, agent: false })),
  );

/** Answers that take their time, over a kept connection. */
export const slow: Client = async (options) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  await repeat('slow', options, async ({ origin, slowPath }) =>
    toVersion(await exchange({ url: `${origin}${slowPath}`, agent })),
  );
  agent.destroy();
};

/** Bodies that arrive in pieces; the answer counts their bytes. */
export const upload: Client = (options) =>
  repeat('upload', options, async ({ origin, uploadPauseMs }) => {
    const pieces = Array.from({ length: UPLOAD_PIECES }, () => Buffer.alloc(UPLOAD_PIECE_BYTES, 'x'));
    const headers = { 'content-type': 'application/octet-stream' };
    const body = { pieces, pauseMs: uploadPauseMs };
    const answer = await exchange({ url: `${origin}/upload`, agent: false, method: 'POST', headers, body });
    const { length } = JSON.parse(answer) as { length: number };
    if (length !== UPLOAD_PIECES * UPLOAD_PIECE_BYTES) throw new Error(`${length} bytes arrived`);
    return toVersion(answer);
  });

/** Server-sent events, read to their end; all of one stream come from one version. */
export const events: Client = (options) =>
  repeat('events', options, async ({ origin, eventsPath }) => {
    const text = await exchange({ url: `${origin}${eventsPath}`, agent: false });
    const versions = text
      .split('\n\n')
      .filter((block) => block !== '')
      .map((block) => toVersion(block.replace(/^data: /, '')));
    if (versions.length !== EVENTS_EXPECTED)
      throw new Error(`${versions.length} of ${EVENTS_EXPECTED} events`);
    if (new Set(versions).size !== 1) throw new Error(`one stream mixes the versions ${versions.join(', ')}`);
    return versions[0] ?? '';
  });

/** Kinds whose answers take long by design say nothing about latency. */
const untimed = new Set(['slow', 'upload', 'events']);

async function repeat(
  kind: string,
  options: ClientOptions,
  act: (options: ClientOptions) => Promise<string>,
): Promise<void> {
  const { tally, signal, think } = options;
  while (!signal.aborted) {
    const startedAt = performance.now();
    try {
      const version = await act(options);
      tally.answered(version, untimed.has(kind) ? null : startedAt);
    } catch (error) {
      tally.failed(kind, error);
    }
    await sleep(toThinkMs(think));
  }
}

/** The version that an answer names; an answer that names two was made by two versions of the code. */
function toVersion(text: string): string {
  const { version, versionAfter } = JSON.parse(text) as { version: string; versionAfter: string };
  if (version !== versionAfter)
    throw new Error(`one answer mixes the versions ${version} and ${versionAfter}`);
  return version;
}
