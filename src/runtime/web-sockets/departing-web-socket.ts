/**
 * One WebSocket on its way out of this process.
 *
 * 1. From `hold()` to `release()` it reads nothing.
 * 2. From `freeze()` on nothing is written to the connection here, and nothing that the app sends is lost.
 * 3. The connection is ours until `accepted()`; `takeBack()` leaves it as if nothing had been.
 *
 * state  | event      | next    | function
 * open   | held       | held    | hold
 * held   | quiet      | frozen  | freeze
 * held   | given up   | open    | release
 * frozen | refused    | open    | takeBack
 * frozen | accepted   | gone    | accepted
 */

import type { IncomingMessage } from 'node:http';
import type { CarriedServer } from './carried-server.ts';
import { encodeWebSocket, type CarriedWebSocket } from './carried-web-socket.ts';
import { inflatedBefore, isInflateKnown } from './inflate-history.ts';
import { LateFrames, watchForEnd } from './late-frames.ts';
import { pointOf, toUnreadBytes } from './unread-bytes.ts';
import {
  DEFLATE,
  isKnown,
  OPEN,
  type Deflate,
  type InternalWebSocket,
  type StreamHandle,
} from './ws-internals.ts';

export interface FrozenWebSocket {
  readonly id: string;
  readonly handle: StreamHandle;
  /** What another process makes it anew from. */
  readonly payload: Buffer;
  /** What was read and belongs to a message that is not complete. */
  readonly unread: Buffer;
  /** Another process has it. What work that is under way here still sends is given to `pass`, as whole frames. */
  accepted(pass: (frames: Uint8Array) => void): void;
  /** Nobody has taken it. */
  takeBack(): void;
}

/** Why it does not go now. `busy` may be asked again; the others stay. */
export type FreezeProblem = 'busy' | 'closing' | 'encrypted' | 'unknown' | 'unsaved';

type State =
  | { readonly status: 'open' }
  | { readonly status: 'held'; readonly handle: StreamHandle }
  | { readonly status: 'frozen'; readonly handle: StreamHandle; readonly late: LateFrames }
  | { readonly status: 'gone' };

/** It travels as one message between processes, which other things wait for. */
const PAYLOAD_BYTES_MAX = 1024 * 1024;

let lastId = 0;

export class DepartingWebSocket {
  readonly webSocket: InternalWebSocket;
  readonly #server: CarriedServer;
  readonly #request: IncomingMessage;
  readonly #id = `${process.pid}.${++lastId}`;
  #state: State = { status: 'open' };

  constructor(server: CarriedServer, webSocket: InternalWebSocket, request: IncomingMessage) {
    this.#server = server;
    this.webSocket = webSocket;
    this.#request = request;
  }

  get isTogether(): boolean {
    return this.#server.options.together !== false;
  }

  /** Why it will never go; null when it may. */
  whyNot(): FreezeProblem | null {
    const { webSocket } = this;
    if (webSocket.readyState !== OPEN) return 'closing';
    if (!isKnown(webSocket)) return 'unknown';
    const { _socket: socket } = webSocket;
    if (socket.encrypted === true || typeof socket._handle?.readStop !== 'function') return 'encrypted';
    const deflate = webSocket._extensions[DEFLATE];
    return deflate === undefined || isInflateKnown(deflate) ? null : 'unknown';
  }

  /** No message comes any more. False when it is not open or can't be carried, and while a message must be read to its end. */
  hold(): boolean {
    if (this.#state.status === 'held') return true;
    const handle = this.webSocket._socket._handle;
    if (this.#state.status !== 'open' || this.whyNot() !== null || handle === null) return false;
    if (pointOf(this.webSocket._receiver) === 'partial') return false;
    handle.readStop();
    // Node then believes that it reads, and does not begin when the stream is resumed.
    handle.reading = true;
    this.#state = { status: 'held', handle };
    return true;
  }

  /** Messages come again. */
  release(): void {
    if (this.#state.status !== 'held') return;
    const { handle } = this.#state;
    this.#state = { status: 'open' };
    if (this.webSocket._socket._handle === handle) handle.readStart();
  }

  /** Ready to go, with what it needs to go on elsewhere; or why it is not. */
  freeze(group: CarriedWebSocket['group']): FrozenWebSocket | FreezeProblem {
    const problem = this.whyNot();
    if (problem !== null) return problem;
    const { webSocket } = this;
    const point = pointOf(webSocket._receiver);
    if (point === 'partial') this.release();
    if (point !== 'boundary' || !isFlushed(webSocket)) return 'busy';
    if (!this.hold() || this.#state.status !== 'held') return 'busy';
    const { handle } = this.#state;
    // Whoever else holds connections may have let them all read again.
    handle.readStop();
    const received = toUnreadBytes(webSocket._receiver);
    const payload = this.#toPayload(group);
    if (payload === null) return 'unsaved';
    // What waits in the stream of one that the app has paused; otherwise there is nothing.
    const waiting = (webSocket._socket.read() as Buffer | null) ?? Buffer.alloc(0);
    const late = new LateFrames();
    const deflate = webSocket._extensions;
    // Compressed, a frame would refer to what this process was the last to send.
    webSocket._extensions = {};
    webSocket._sender._socket = late;
    this.#state = { status: 'frozen', handle, late };
    watchForEnd();
    return {
      id: this.#id,
      handle,
      payload,
      unread: Buffer.concat([received, waiting]),
      accepted: (pass) => this.#leave(late, deflate[DEFLATE], pass),
      takeBack: () => this.#takeBack(late, deflate, waiting),
    };
  }

  /** Null when the app's `save` fails. */
  #toPayload(group: CarriedWebSocket['group']): Buffer | null {
    const { webSocket } = this;
    const { method = 'GET', url = '/', httpVersion, rawHeaders } = this.#request;
    const deflate = webSocket._extensions[DEFLATE];
    try {
      const payload = encodeWebSocket({
        id: this.#id,
        name: this.#server.name,
        protocol: webSocket._protocol,
        binaryType: webSocket.binaryType,
        deflate: deflate === undefined ? null : { params: deflate.params, inflated: inflatedBefore(deflate) },
        request: { method, url, httpVersion, rawHeaders },
        data: this.#server.run(() => this.#server.options.save(webSocket, this.#request)),
        group,
      });
      if (payload.length <= PAYLOAD_BYTES_MAX) return payload;
      throw new RangeError(
        `${payload.length} bytes are more than ${PAYLOAD_BYTES_MAX}; keep them in state()`,
      );
    } catch (error) {
      console.error(
        `A WebSocket of "${this.#server.name}" stays in this process, since it can't be saved:`,
        error,
      );
      return null;
    }
  }

  #leave(late: LateFrames, deflate: Deflate | undefined, pass: (frames: Uint8Array) => void): void {
    const { webSocket } = this;
    this.#state = { status: 'gone' };
    const socket = webSocket._socket;
    // Asked once, they are known also when the handle is gone.
    void [socket.remoteAddress, socket.localAddress];
    // The app is not to take it for closed; it may still send.
    for (const event of ['close', 'data', 'end', 'error']) {
      for (const listener of socket.listeners(event)) {
        if (listener.name.startsWith('socketOn')) socket.off(event, listener as () => void);
      }
    }
    socket.on('error', () => {
      // Nothing is written to it any more.
    });
    // Closes this process's copy alone: the peer sees nothing of it.
    socket.destroy();
    deflate?.cleanup();
    late.passOn(pass);
    this.#server.depart(webSocket);
  }

  #takeBack(late: LateFrames, extensions: Record<string, Deflate>, waiting: Buffer): void {
    if (this.#state.status !== 'frozen') return;
    const { webSocket } = this;
    const { handle } = this.#state;
    const socket = webSocket._socket;
    this.#state = { status: 'open' };
    webSocket._extensions = extensions;
    webSocket._sender._socket = socket;
    if (socket._handle !== handle) return;
    for (const frame of late.take()) socket.write(frame);
    if (waiting.length > 0) socket.unshift(waiting);
    this.#server.keep(webSocket);
    handle.readStart();
  }
}

/** Nothing of ours is on its way to the client, nor half sent. */
function isFlushed({ _sender, _socket, _receiver, isPaused }: InternalWebSocket): boolean {
  if (_sender._state !== 0 || _sender._queue.length > 0 || !_sender._firstFragment) return false;
  if (_socket.writableLength > 0 || (_socket._handle?.writeQueueSize ?? 0) > 0) return false;
  // Bytes in the stream are about to go to the receiver, but where the app has paused it.
  return _socket.readableLength === 0 || (isPaused && !_receiver.writableNeedDrain);
}
