/**
 * Connections that are not read from, so that what their clients send waits in the kernel, for this process or the one that
 * takes over. Owns which they are.
 *
 * 1. A connection is held when no response of it is under way, and from the very turn in which its last one ends: what a client
 *    sends after an answer is not read.
 * 2. Nothing else of a held connection is touched; its idle timeout alone is put off, since it may not end in the middle.
 *
 * state    | event                | next     | function
 * read     | hold                 | held     | hold: idle ones at once, others when they become idle
 * held     | release              | read     | release
 */

import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';

import type { AdoptedServer } from './adopted-server.ts';
import type { Http2Session, Http2Stream } from './http2-sessions.ts';
import { httpSockets, type ClientHandle, type InternalSocket } from './node-internals.ts';

/** A socket, or an HTTP/2 session. */
interface Connection {
  readonly destroyed: boolean;
  readonly timeout?: number | undefined;
  setTimeout(idleTimeoutMs: number): unknown;
}

interface Held {
  readonly handle: ClientHandle;
  readonly idleTimeoutMs: number;
}

export class ConnectionHold {
  readonly #held = new Map<Connection, Held>();
  #isOver = false;

  /** Holds the HTTP connections of these servers, also those that come. */
  hold(servers: Iterable<AdoptedServer>): void {
    for (const server of servers) {
      for (const { socket, response } of server.http1.open()) this.onResponse(socket, response);
      for (const socket of httpSockets(server.server)) this.onConnection(socket);
      for (const stream of server.http2.streams.keys()) this.onStream(server, stream);
      for (const session of server.http2.sessions) this.#addSession(server, session);
    }
  }

  /** Upgraded sockets, too, and those of net servers: what they get is nobody's request, so nothing says when they are idle. */
  holdKept(servers: Iterable<AdoptedServer>): void {
    for (const { kept } of servers)
      for (const socket of kept) this.#add(socket as Socket, socket as InternalSocket);
  }

  /** A response has begun. */
  onResponse(socket: InternalSocket, response: EventEmitter): void {
    response.once('close', () => this.onConnection(socket));
  }

  /** A stream of an HTTP/2 session has begun. */
  onStream(server: AdoptedServer, stream: Http2Stream): void {
    const { session } = stream;
    if (session !== undefined) stream.once('close', () => this.#addSession(server, session));
  }

  /** A connection is there, or an answer on it has ended. */
  onConnection(socket: InternalSocket): void {
    if (!socket._httpMessage) this.#add(socket, socket);
  }

  /** Reads again from those that are still here, but for those that are on their way to another process. True when there
   *  are none of these. */
  release(isLeaving: (connection: object) => boolean): boolean {
    this.#isOver = true;
    for (const [connection, { handle, idleTimeoutMs }] of this.#held) {
      if (isLeaving(connection)) continue;
      this.#held.delete(connection);
      // It has ended, or has been carried away.
      if (connection.destroyed || ('_handle' in connection && connection._handle !== handle)) continue;
      handle.readStart();
      if (idleTimeoutMs > 0) connection.setTimeout(idleTimeoutMs);
    }
    return this.#held.size === 0;
  }

  #addSession(server: AdoptedServer, session: Http2Session): void {
    for (const { session: busy } of server.http2.streams.keys()) if (busy === session) return;
    // What it says of its socket is nothing once it is destroyed: it throws.
    if (!session.destroyed && session.socket !== undefined)
      this.#add(session, session.socket as InternalSocket);
  }

  #add(connection: Connection, { _handle: handle }: InternalSocket): void {
    // One that its own reader has paused goes on when that one says so.
    if (this.#isOver || this.#held.has(connection) || handle?.reading !== true) return;
    handle.readStop();
    this.#held.set(connection, { handle, idleTimeoutMs: connection.timeout ?? 0 });
    connection.setTimeout(0);
  }
}
