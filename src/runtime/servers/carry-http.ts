/** HTTP/1 connections between two requests: when they are so, and how one goes on in another process. */

import type { CarriedConnection } from '../../protocol/messages.ts';
import type { AdoptedServer } from './adopted-server.ts';
import { deliver } from './hub.ts';
import {
  type ClientHandle,
  endMessage,
  idleHttpSockets,
  type InternalServer,
  type InternalSocket,
  socketOf,
} from './node-internals.ts';
import { isTls } from './server-kind.ts';

/** Says no more than whether the connection has had a request yet. */
export interface HttpDetail {
  readonly isFresh: boolean;
}

/** http's own default of `server.keepAliveTimeoutBuffer`. */
const KEEP_ALIVE_BUFFER_MS = 1_000;

/** Revived between two requests, and nothing read since. */
const waiting = new WeakSet<InternalSocket>();

/** Not TLS, whose keys can't be passed, and not HTTP/2. */
export function isPlainHttp({ kind, server }: AdoptedServer): boolean {
  return kind === 'http' && !isTls(server);
}

/**
 * Tells which connections are idle. Asking http costs time for every connection that it has, so what it said is kept: a
 * connection from which nothing was read since is as it was.
 */
export class IdleTest {
  /** What had been read from those that were idle. */
  readonly #bytesRead = new WeakMap<InternalSocket, number>();
  readonly #asked = new Set<InternalServer>();

  /** Something may have been read since the last call of `isIdle`. */
  startTurn(): void {
    this.#asked.clear();
  }

  isIdle(socket: InternalSocket): boolean {
    const { server } = socket;
    if (server === undefined || !isQuiet(socket)) return false;
    // Nothing was read, so nothing has begun.
    if (socket.bytesRead === 0 || this.#bytesRead.get(socket) === socket.bytesRead) return true;
    if (this.#asked.has(server)) return false;
    this.#asked.add(server);
    for (const idle of idleHttpSockets(server)) this.#bytesRead.set(idle, idle.bytesRead);
    return this.#bytesRead.get(socket) === socket.bytesRead;
  }
}

/** Open both ways, being read by http, and with nothing to write. */
function isQuiet(socket: InternalSocket): boolean {
  const { _handle: handle, parser, _httpMessage: response } = socket;
  if (!handle || !parser || response || socket.destroyed || handle.reading !== true) return false;
  if (socket.readableEnded || !socket.readable || !socket.writable) return false;
  return socket.writableLength === 0 && handle.writeQueueSize === 0 && socket.readableLength === 0;
}

/** What the next process has to know of an idle connection. */
export function toHttpDetail(socket: InternalSocket): HttpDetail {
  return { isFresh: socket.bytesRead === 0 && !waiting.has(socket) };
}

/** Gives the connection to a server as if it had just been accepted, but for what has happened on it before. */
export function reviveHttp(server: AdoptedServer, handle: ClientHandle, carried: CarriedConnection): void {
  deliver(server, 0, handle);
  const socket = socketOf(handle);
  // The app's `connection` listener may have done away with it.
  if (!socket?.parser || socket.destroyed) return;
  if (!(carried.detail as HttpDetail).isFresh) awaitRequest(server.server, socket);
}

function awaitRequest(server: InternalServer, socket: InternalSocket): void {
  if (!socket.parser) return;
  endMessage(socket.parser);
  waiting.add(socket);
  const { keepAliveTimeout = 0, keepAliveTimeoutBuffer = KEEP_ALIVE_BUFFER_MS } = server;
  if (keepAliveTimeout === 0) return;
  // Not socket.setTimeout: http takes its own keep-alive timeout back when a request comes, and does not know of this one.
  setTimeout(() => {
    if (socket.bytesRead === 0 && !socket.destroyed) socket.emit('timeout');
  }, keepAliveTimeout + keepAliveTimeoutBuffer).unref();
}
