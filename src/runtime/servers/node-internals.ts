/**
 * The parts of Node that adoption touches beyond the documented ones. They are what `node:cluster` uses to give a
 * worker's server a stand-in handle (lib/internal/cluster/child.js, rr), unchanged from v12 to v26; the tests in
 * test/runtime/servers*.test.ts fail when a Node version changes them.
 */

import type { EventEmitter } from 'node:events';
import net from 'node:net';

export interface SocketName {
  address?: string;
  port?: number;
  family?: string;
}

/** A raw TCP or Pipe handle of one accepted connection. */
export interface ClientHandle {
  close(): void;
  asyncReset?(resource: object): void;
}

export type OnConnection = (this: object, errno: number, client: ClientHandle) => void;

/** A raw TCP or Pipe handle that is bound. */
export interface ListenerHandle {
  onconnection: OnConnection | null;
  readonly fd?: number;
  listen(backlog: number): number;
  close(callback?: () => void): void;
  ref(): void;
  unref(): void;
  getsockname?(out: SocketName): number;
  fchmod?(mode: number): number;
}

/** What net.Server needs of its `_handle`. */
export interface ServerHandle {
  onconnection: OnConnection | null;
  listen(backlog: number): number;
  close(callback?: () => void): void;
  ref(): void;
  unref(): void;
  hasRef(): boolean;
  getsockname?(out: SocketName): number;
}

export type Emit = (this: EventEmitter, event: string | symbol, ...values: unknown[]) => boolean;

/** A net.Server with the fields that setupListenHandle and close work on. */
export interface InternalServer extends net.Server {
  emit: Emit;
  _handle: ServerHandle | null;
  _connections: number;
  _listeningId: number;
  _pipeName?: string;
  _unref?: boolean;
  _emitCloseIfDrained(): void;
  _listen2(
    address: string | null,
    port: number,
    addressType: number,
    backlog: number,
    fd: undefined,
    flags: number,
  ): void;
  closeIdleConnections?(): void;
  closeAllConnections?(): void;
}

/** A socket with the fields that http and net keep on it. */
export interface InternalSocket extends net.Socket {
  _httpMessage?: InternalResponse | null;
  _server?: InternalServer | null;
  _parent?: InternalSocket | null;
  _handle: ClientHandle | null;
}

/** The part of http.ServerResponse that a lame duck changes. */
export interface InternalResponse extends EventEmitter {
  shouldKeepAlive: boolean;
  readonly headersSent: boolean;
  readonly writableFinished: boolean;
}

interface ConnectionsList {
  all(): { readonly socket: InternalSocket | null }[];
}

interface InternalNet {
  _createServerHandle(
    address: string | null,
    port: number,
    addressType: number,
    fd?: number,
    flags?: number,
  ): ListenerHandle | number;
  _normalizeArgs(args: readonly unknown[]): [options: Record<string, unknown>, callback: (() => void) | null];
}

export const internalNet: InternalNet = net as unknown as InternalNet;

/** UV_TCP_IPV6ONLY of libuv, the flag of bind6. */
export const TCP_IPV6_ONLY = 1;

/** The sockets that http's parser holds now; those that were upgraded are not among them. */
export function httpSockets(server: InternalServer): InternalSocket[] {
  const list = valueOfSymbol(server, 'http.server.connections') as ConnectionsList | undefined;
  const sockets: InternalSocket[] = [];
  for (const parser of list?.all() ?? []) if (parser.socket) sockets.push(parser.socket);
  return sockets;
}

/** Stops the interval by which http looks for connections that are too slow. It would hold the server until the process ends. */
export function stopConnectionsChecking(server: InternalServer): void {
  clearInterval(
    valueOfSymbol(server, 'http.server.connectionsCheckingInterval') as NodeJS.Timeout | undefined,
  );
}

function valueOfSymbol(target: object, description: string): unknown {
  const symbol = Object.getOwnPropertySymbols(target).find((each) => each.description === description);
  return symbol === undefined ? undefined : (target as Record<symbol, unknown>)[symbol];
}
