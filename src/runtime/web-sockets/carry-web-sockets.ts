/** `carryWebSockets()`: what an app says of its WebSockets, so that they outlive the process. */

import type { IncomingMessage } from 'node:http';
import { MidflightError } from '../../errors.ts';
import { findRegistry } from './web-socket-registry.ts';
import { whyNotServer, type InternalWebSocketServer } from './ws-internals.ts';

/** A `WebSocketServer` of the package `ws`, version 8. */
export interface WebSocketServerLike<Socket> {
  readonly clients: Set<Socket>;
  close(callback?: (error?: Error) => void): void;
}

export interface CarryOptions<Socket, Data> {
  /** Called when a connection is about to leave. Returns what belongs to it and can be cloned: that goes along. It hears nothing
   *  from here on; what is still sent to it arrives. */
  save(webSocket: Socket, request: IncomingMessage): Data;
  /** Called where the connection has arrived, with a WebSocket that is open, nobody listens to, and that reads nothing until this
   *  has returned or its promise is fulfilled. What it throws lets the connection stay in the process that it was to leave. */
  restore(webSocket: Socket, data: Data, request: IncomingMessage): void | Promise<void>;
  /** Called where the connection was, when it has gone: end what belongs to it here. There is no 'close' event. */
  forget?(webSocket: Socket): void;
  /** Called when a connection stays after all: begin again what `save` has ended. */
  keep?(webSocket: Socket): void;
  /** Tells several servers of an app apart; by default the server's `path`, or `/`. */
  name?: string;
  /** By default all stop reading at once, and read on when all have arrived, so that no broadcast misses one that is on its way.
   *  False: each on its own, with a shorter silence. */
  together?: boolean;
  /** What becomes of them in a swap. By default they stay with the code that accepted them. `move` gives them to the new code
   *  by `save`, `forget` and `restore`, in this order, with all listeners removed. */
  swap?: 'stay' | 'move';
}

/** Lets the WebSockets of a server pass to the next process in a handoff, without a client that notices.
 *  Shape:  call it once for each server, where that is made. Does nothing where Midflight does not run.
 *  Errors: ERR_MIDFLIGHT_WEB_SOCKETS_INVALID, ERR_MIDFLIGHT_WEB_SOCKETS_CONFLICT.
 *  Source: docs/reference/websockets.md. */
export function carryWebSockets<Socket extends object, Data>(
  server: WebSocketServerLike<Socket>,
  options: CarryOptions<Socket, Data>,
): void {
  const problem = whyNotServer(server) ?? whyNotOptions(options);
  if (problem !== null) throw new MidflightError('ERR_MIDFLIGHT_WEB_SOCKETS_INVALID', [problem]);
  findRegistry()?.register(server as unknown as InternalWebSocketServer, options);
}

function whyNotOptions(options: Partial<CarryOptions<never, unknown>> | undefined): string | null {
  const { save, restore, forget, keep, name, swap = 'stay' } = options ?? {};
  if (typeof save !== 'function' || typeof restore !== 'function')
    return '"save" and "restore" must be functions';
  if (forget !== undefined && typeof forget !== 'function') return '"forget" must be a function';
  if (keep !== undefined && typeof keep !== 'function') return '"keep" must be a function';
  if (name !== undefined && (typeof name !== 'string' || name === '')) return '"name" must be a text';
  return swap === 'stay' || swap === 'move' ? null : `"swap" is "${String(swap)}", not "stay" or "move"`;
}
