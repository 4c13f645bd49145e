/**
 * Makes a WebSocket of a connection that has come from another process, as `WebSocketServer.completeUpgrade` of `ws` does of one
 * whose handshake is done.
 *
 * 1. Until `begin()` nothing is read from the connection, and nothing is written to it.
 * 2. When it rejects, or `discard()` is called, the peer has seen nothing, and the process that sent it can go on.
 */

import { IncomingMessage } from 'node:http';
import net from 'node:net';
import { MidflightError } from '../../errors.ts';
import type { CarriedServer } from './carried-server.ts';
import type { CarriedDeflate, CarriedRequest, CarriedWebSocket } from './carried-web-socket.ts';
import { findDeflateClass } from './deflate-class.ts';
import { keepInflated } from './inflate-history.ts';
import { joinServer } from './join-server.ts';
import { CLOSE_OPCODE } from './late-frames.ts';
import {
  DEFLATE,
  type Deflate,
  OPEN,
  type InternalWebSocket,
  type InternalWebSocketServer,
  type StreamHandle,
  type WebSocketStream,
} from './ws-internals.ts';

export interface RevivedWebSocket {
  readonly webSocket: InternalWebSocket;
  /** The other process knows that it is ours. What was sent here goes; `whenRead` says when to read. */
  begin(whenRead: (read: () => void) => void): void;
  /** The other process keeps it. */
  discard(): void;
  /** What the process that it came from sends still. */
  receiveLate(frames: Uint8Array): void;
}

export interface Arrival {
  readonly server: CarriedServer;
  readonly carried: CarriedWebSocket;
  readonly handle: StreamHandle;
  readonly unread: Uint8Array;
  /** The one by which it came in. */
  readonly httpServer: net.Server | null;
}

/** What an app's `restore` may take: less than the other process waits. */
export const RESTORE_TIMEOUT_MS = 4_000;

/** Errors: ERR_MIDFLIGHT_WEB_SOCKET_UNRESTORED, with what `restore` threw as its cause. */
export async function reviveWebSocket(arrival: Arrival): Promise<RevivedWebSocket> {
  const { server, carried, handle, unread } = arrival;
  const { webSocket, socket, request } = server.run(() => open(arrival));
  try {
    const restored = server.run(() => server.options.restore(webSocket, carried.data, request));
    if (restored instanceof Promise) await withinLimit(restored);
  } catch (error) {
    discard(socket, webSocket);
    throw new MidflightError('ERR_MIDFLIGHT_WEB_SOCKET_UNRESTORED', [server.name, String(error)], {
      cause: error,
    });
  }
  return {
    webSocket,
    begin: (whenRead) => {
      socket.uncork();
      if (unread.length > 0) socket.unshift(Buffer.from(unread));
      whenRead(() => {
        // The app may have paused it.
        if (!webSocket.isPaused && socket._handle === handle) socket.resume();
      });
    },
    discard: () => discard(socket, webSocket),
    receiveLate: (frames) => sendLate(webSocket, Buffer.from(frames)),
  };
}

interface Opened {
  readonly webSocket: InternalWebSocket;
  readonly socket: WebSocketStream;
  readonly request: IncomingMessage;
}

function open({ server, carried, handle, httpServer }: Arrival): Opened {
  const { options } = server.server;
  const socket = new net.Socket({
    handle: handle as never,
    allowHalfOpen: true,
    pauseOnCreate: true,
  } as net.SocketConstructorOpts) as WebSocketStream;
  // What `restore` sends goes when the connection is known to be ours.
  socket.cork();
  count(socket, httpServer);
  const request = toRequest(carried.request, socket);
  const webSocket = new options.WebSocket(null, undefined, options);
  webSocket._protocol = carried.protocol;
  if (carried.deflate !== null)
    webSocket._extensions = { [DEFLATE]: toDeflate(server.server, carried.deflate) };
  webSocket.binaryType = carried.binaryType;
  webSocket.setSocket(socket, Buffer.alloc(0), options);
  server.forgetDeparted();
  joinServer(server.server, webSocket);
  server.add(webSocket, request);
  return { webSocket, socket, request };
}

/** As a server counts the connections that it accepts. */
function count(socket: WebSocketStream, server: net.Server | null): void {
  if (server === null) return;
  const counting = server as net.Server & { _connections: number };
  socket._server = server;
  counting._connections++;
}

interface InternalRequest extends IncomingMessage {
  _addHeaderLines(rawHeaders: string[], count: number): void;
}

function toRequest({ rawHeaders, ...line }: CarriedRequest, socket: net.Socket): IncomingMessage {
  const request = new IncomingMessage(socket);
  // As Node's parser does; `headers` is made from these when it is asked for.
  (request as InternalRequest)._addHeaderLines([...rawHeaders], rawHeaders.length);
  const [httpVersionMajor = 1, httpVersionMinor = 1] = line.httpVersion.split('.').map(Number);
  Object.assign(request, line, { httpVersionMajor, httpVersionMinor, complete: true });
  request.push(null);
  return request;
}

function toDeflate(server: InternalWebSocketServer, { params, inflated }: CarriedDeflate): Deflate {
  const { options } = server;
  const PerMessageDeflate = findDeflateClass(server);
  if (PerMessageDeflate === undefined) throw new Error('its version of ws can not be made to compress');
  const settings = options.perMessageDeflate === false ? {} : options.perMessageDeflate;
  const deflate = new PerMessageDeflate({ ...settings, isServer: true, maxPayload: options.maxPayload });
  deflate.params = params;
  if (inflated.length > 0) {
    const zlibInflateOptions = { ...deflate._options.zlibInflateOptions, dictionary: inflated };
    deflate._options = { ...deflate._options, zlibInflateOptions };
  }
  keepInflated(deflate, inflated);
  return deflate;
}

async function withinLimit(restored: Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`"restore" took more than ${RESTORE_TIMEOUT_MS} ms`)),
    RESTORE_TIMEOUT_MS,
  );
  try {
    await Promise.race([restored, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Closes this process's copy. The app is told by 'close'; the peer sees nothing of it. */
function discard(socket: net.Socket, webSocket: InternalWebSocket): void {
  // What `restore` has sent is still corked, and goes with it.
  if (!webSocket.listenerCount('error')) webSocket.on('error', () => undefined);
  socket.destroy();
}

/** Whole messages, or the wish to close, between messages of this process. */
function sendLate(webSocket: InternalWebSocket, frames: Buffer): void {
  if (webSocket.readyState !== OPEN) return;
  if (((frames[0] ?? 0) & 0x0f) === CLOSE_OPCODE) {
    const payload = frames.subarray(2);
    webSocket.close(payload.length < 2 ? undefined : payload.readUInt16BE(0), payload.subarray(2));
  } else if (webSocket._sender._firstFragment) {
    // Not the connection itself: it may be on its way to a third process already.
    webSocket._sender._socket.write(frames);
  } else {
    // The app is in the middle of a message that it sends in parts.
    setImmediate(sendLate, webSocket, frames);
  }
}
