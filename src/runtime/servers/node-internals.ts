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
  /** Not on Windows. */
  readonly fd?: number;
  close(): void;
  asyncReset?(resource: object): void;
  /** What net.Socket takes it to be doing. */
  reading?: boolean;
  readStart(): number;
  readStop(): number;
  readonly writeQueueSize: number;
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
  getpeername?(out: SocketName): number;
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
  keepAliveTimeout?: number;
  keepAliveTimeoutBuffer?: number;
  closeIdleConnections?(): void;
  closeAllConnections?(): void;
}

/** A socket with the fields that http and net keep on it. */
export interface InternalSocket extends net.Socket {
  _httpMessage?: InternalResponse | null;
  _server?: InternalServer | null;
  _parent?: InternalSocket | null;
  _handle: ClientHandle | null;
  /** http's, or that of the net.Server that accepted it. */
  server?: InternalServer;
  parser?: HttpParser | null;
}

/** http's parser, as much of it as `endMessage` needs. */
export interface HttpParser {
  readonly constructor: { readonly kOnHeadersComplete: number; readonly kOnMessageComplete: number };
  readonly socket: InternalSocket | null;
  execute(chunk: Buffer): number | Error;
  [callback: number]: unknown;
}

/** The part of http.IncomingMessage that a lame duck looks at. */
export interface InternalRequest extends EventEmitter {
  readonly method?: string;
  readonly url?: string;
  readonly socket: InternalSocket | null;
  /** It has arrived whole. */
  readonly complete: boolean;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** The part of http.ServerResponse that a lame duck changes. */
export interface InternalResponse extends EventEmitter {
  readonly req?: InternalRequest;
  shouldKeepAlive: boolean;
  readonly headersSent: boolean;
  readonly writableFinished: boolean;
}

interface ConnectionsList {
  all(): HttpParser[];
  idle(): HttpParser[];
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
  return toSockets(connectionsOf(server)?.all());
}

/** Those on which no message has begun since the last one ended. On Node 26 also those that never had one. */
export function idleHttpSockets(server: InternalServer): InternalSocket[] {
  return toSockets(connectionsOf(server)?.idle());
}

function connectionsOf(server: InternalServer): ConnectionsList | undefined {
  return valueOfSymbol(server, 'http.server.connections') as ConnectionsList | undefined;
}

function toSockets(parsers: readonly HttpParser[] = []): InternalSocket[] {
  return parsers.map(({ socket }) => socket).filter((socket) => socket !== null);
}

/** The net.Socket that was made of a raw handle. */
export function socketOf(handle: ClientHandle): InternalSocket | undefined {
  return valueOfSymbol(handle, 'owner_symbol') as InternalSocket | undefined;
}

const anyMessage = Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n');

/**
 * Makes a new parser believe that a message has just ended, as it has on the connection of which it gets the rest: to
 * `idle()` and `expired()` the connection is one that waits for its next request, not one that has never sent any.
 */
export function endMessage(parser: HttpParser): void {
  const { kOnHeadersComplete, kOnMessageComplete } = parser.constructor;
  const { [kOnHeadersComplete]: onHeadersComplete, [kOnMessageComplete]: onMessageComplete } = parser;
  parser[kOnHeadersComplete] = () => 0;
  parser[kOnMessageComplete] = () => undefined;
  parser.execute(anyMessage);
  parser[kOnHeadersComplete] = onHeadersComplete;
  parser[kOnMessageComplete] = onMessageComplete;
}

/** Stops the interval by which http looks for connections that are too slow. It would hold the server until the process ends. */
export function stopConnectionsChecking(server: InternalServer): void {
  clearInterval(
    valueOfSymbol(server, 'http.server.connectionsCheckingInterval') as NodeJS.Timeout | undefined,
  );
}

/** The value of a property whose key is a symbol that is not exported. */
export function valueOfSymbol(target: object, description: string): unknown {
  const symbol = Object.getOwnPropertySymbols(target).find((each) => each.description === description);
  return symbol === undefined ? undefined : (target as Record<symbol, unknown>)[symbol];
}
