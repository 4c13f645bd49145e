/**
 * One server of the app whose listener is a hub. Owns the stand-in handle that makes Node believe that the server
 * listens, the override of `emit` that takes requests to the current generation, and the count of its work.
 *
 * 1. A request is answered by the generation that is current when its headers have arrived, whoever accepted the connection.
 * 2. Upgraded sockets, and the sockets of plain net servers, stay with the server that accepted them; WebSockets may be moved
 *    to the current one (`ServerAdoption.rekeep`).
 * 3. The path of a request to a current server allocates nothing: `#onRequest` → `#answer` → the server's own emit.
 */

import type { EventEmitter } from 'node:events';

import type { CallingLine } from '../calling-line.ts';
import { type GenerationScope, runInScope } from '../generation-scope.ts';
import { currentOrigin, type Origin } from '../origin.ts';
import type { CarryGiver } from './carry-giver.ts';
import type { ConnectionHold } from './connection-hold.ts';
import { isThroughDoor } from './door-ports.ts';
import { endEventStream } from './event-stream.ts';
import { kStartedUs, nowUs } from '../service-meter.ts';
import { type AnyResponse, Http1Exchanges, kSince, kWork } from './http1-exchanges.ts';
import { Http2Sessions, type Http2Session, type Http2Stream } from './http2-sessions.ts';
import type { Hub } from './hub.ts';
import { type KeptKind, noteKept, toKeptKind } from './kept-sockets.ts';
import {
  type ClientHandle,
  type Emit,
  httpSockets,
  type InternalServer,
  type InternalSocket,
  stopConnectionsChecking,
} from './node-internals.ts';
import { isTls, type ServerKind, toServerKind } from './server-kind.ts';
import { StandInHandle } from './stand-in-handle.ts';
import { bequeathConnections, guardConnections } from './superseded-connections.ts';

/** What all servers of a worker share. */
export interface Service {
  status: 'serving' | 'draining';
  /** Gives connections to another process at this time. Those are not asked to leave. */
  giver: CarryGiver | null;
  /** While idle connections are not read from. */
  hold: ConnectionHold | null;
  onClosing(server: AdoptedServer): void;
  onClosed(server: AdoptedServer): void;
}

interface IncomingRequest {
  readonly url?: string;
  readonly headers: { readonly upgrade?: string };
  readonly socket: InternalSocket;
}

type RequestEvent = 'request' | 'checkContinue' | 'checkExpectation';

export class AdoptedServer {
  readonly server: InternalServer;
  readonly kind: ServerKind;
  scope: GenerationScope;
  /** What called `listen()`. */
  origin: Origin | undefined = currentOrigin();
  /** Where that was. */
  line: CallingLine | null = null;
  backlog = 511;
  isRef = true;
  /** The last hub that it listened on; kept after close, because open connections still find the current server there. */
  hub: Hub | null = null;
  /** Upgraded sockets, and all sockets of a net server. */
  readonly kept = new Set<EventEmitter>();
  readonly http1: Http1Exchanges;
  readonly http2 = new Http2Sessions();
  /** Connections whose TLS handshake is not done. */
  readonly #handshakes = new Set<EventEmitter>();
  readonly #service: Service;
  readonly #isTls: boolean;
  #standIn: StandInHandle | null = null;
  readonly #emit: Emit;
  #onWorkEnd: (this: AnyResponse | Http2Stream) => void;

  constructor(server: InternalServer, scope: GenerationScope, service: Service) {
    this.server = server;
    this.scope = scope;
    this.kind = toServerKind(server);
    this.#isTls = isTls(server);
    this.#service = service;
    this.http1 = new Http1Exchanges(server, {
      isLame: () => this.#isLame(),
      willCarry: (socket, response) => service.giver?.follow(this, socket, response) === true,
    });
    this.#emit = server.emit;
    this.#onWorkEnd = toWorkEnd(scope);
    server.emit = this.kind === 'net' ? AdoptedServer.#toNetEmit(this) : AdoptedServer.#toHttpEmit(this);
    guardConnections(server, () => this.#heir() !== this);
  }

  /** Makes it a server of another generation, which shares the module that made it. */
  rebind(scope: GenerationScope): void {
    if (scope === this.scope) return;
    this.scope = scope;
    this.#onWorkEnd = toWorkEnd(scope);
  }

  /** Gives the server its stand-in handle, so that it is `listening` and has an `address()`. */
  hold(hub: Hub, backlog: number): void {
    this.hub = hub;
    this.backlog = backlog;
    this.#standIn = new StandInHandle(this, hub);
    this.server._handle = this.#standIn;
    this.isRef = this.server._unref !== true;
  }

  /** Lets Node finish `listen()`: the handle gets `onconnection`, and 'listening' is emitted. */
  finishListen(): void {
    const { address, port, family } = this.hub?.name ?? {};
    this.server._listen2(address ?? null, port ?? -1, toAddressType(family), this.backlog, undefined, 0);
  }

  /** An accepted connection of the hub. */
  accept(errno: number, client: ClientHandle): void {
    // Not the server's own field: node:cluster takes the handle for itself and leaves null there.
    const handle = this.#standIn;
    if (handle?.onconnection) handle.onconnection.call(handle, errno, client);
    else client?.close();
  }

  /** One function for each stream of server-sent events, which ends it. */
  eventStreams(): (() => void)[] {
    const streams = [...this.http1.eventStreams(), ...this.http2.eventStreams()];
    return streams.map((stream) => () => endEventStream(stream));
  }

  /** HTTP connections that are open, idle ones too. */
  get openCount(): number {
    const httpCount = this.kind === 'net' ? 0 : httpSockets(this.server).length;
    return httpCount + this.http2.sessions.size + this.#handshakes.size;
  }

  /** Asks every client to go on over another connection. */
  lame(): void {
    this.http2.leaveAll();
    this.http1.leaveAll();
  }

  /** Undoes `lame` where nothing has been said yet. */
  unlame(): void {
    this.http1.stay();
  }

  /** Ends it as if it never listened: nothing of the app hangs on it any more; open connections are the current server's. */
  dismiss(): void {
    this.hub?.sessions.forget(this);
    this.server.removeAllListeners();
    this.server._handle = null;
    this.#standIn = null;
    this.server._listeningId++;
    // Emits 'close', now or after the last connection, which ends the rest (see #onClose).
    this.server._emitCloseIfDrained();
  }

  /** The server's handle was closed, by `server.close()`. */
  onHandleClose(): void {
    this.#standIn = null;
    const heir = this.#heir();
    if (heir !== this) bequeathConnections(this.server, heir.server);
    this.#service.onClosing(this);
  }

  setRef(isRef: boolean): void {
    this.isRef = isRef;
    if (this.hub?.current === this) this.hub.syncRef();
  }

  /** The server that answers now: the one of the current generation, where there is one. */
  #heir(): AdoptedServer {
    const current = this.hub?.current ?? null;
    if (current === null || current === this) return this;
    return this.scope.status === 'preparing' || current.scope === this.scope ? this : current;
  }

  /** A request of a session goes to the server that began it. */
  #heirFor({ url }: IncomingRequest): AdoptedServer {
    return this.hub?.sessions.serverOf(url) ?? this.#heir();
  }

  /** Its address is gone from the current generation, or the whole worker is draining. */
  #isLame(): boolean {
    if (this.#service.status === 'draining') return true;
    return this.hub !== null && this.hub.current === null && this.scope.status !== 'preparing';
  }

  static #toNetEmit(adopted: AdoptedServer): Emit {
    const { server } = adopted;
    const emit = adopted.#emit;
    return function (event, value) {
      if (event === 'connection') adopted.#onNetConnection(value as EventEmitter);
      else if (event === 'secureConnection') adopted.#onSecureNetConnection(value as InternalSocket);
      else if (event === 'close') adopted.#onClose();
      return Reflect.apply(emit, server, arguments) as boolean;
    };
  }

  static #toHttpEmit(adopted: AdoptedServer): Emit {
    const { server } = adopted;
    const emit = adopted.#emit;
    return function (event, first, second) {
      switch (event) {
        case 'request':
        case 'checkContinue':
        case 'checkExpectation':
          return adopted.#onRequest(event, first as IncomingRequest, second as AnyResponse);
        case 'stream':
          return adopted.#onStream([...arguments].slice(1));
        case 'upgrade':
        case 'connect':
          return adopted.#onHandedOver(event, [...arguments].slice(1));
        case 'connection':
          if (adopted.#isTls) adopted.#onHandshake(first as EventEmitter);
          break;
        case 'secureConnection':
          adopted.#onHandshaken(first as InternalSocket);
          return adopted.#onPassedOn(event, [...arguments].slice(1));
        case 'clientError':
        case 'dropRequest':
        case 'timeout':
          return adopted.#onPassedOn(event, [...arguments].slice(1));
        case 'session':
          adopted.http2.add(first as Http2Session);
          break;
        case 'close':
          adopted.#onClose();
          break;
        default:
      }
      return Reflect.apply(emit, server, arguments) as boolean;
    };
  }

  #onRequest(event: RequestEvent, request: IncomingRequest, response: AnyResponse): boolean {
    const heir = this.#heirFor(request);
    if (heir === this) return this.#answer(event, request, response);
    return runInScope(
      heir.scope,
      () => heir.#answerForeign(event, request, response) || this.#refuse(response),
    );
  }

  #answer(event: RequestEvent, request: IncomingRequest, response: AnyResponse): boolean {
    // An HTTP/2 request was counted as a stream, and its connection has no `Connection: close`.
    if (response.stream === undefined) {
      const isPipelined = request.socket._httpMessage !== response;
      response[kWork] = this.scope;
      const nowMs = performance.now();
      response[kSince] = Math.trunc(nowMs / 1_000);
      if (!isThroughDoor(request)) response[kStartedUs] = (nowMs * 1_000) | 0;
      this.scope.inFlightCount++;
      this.hub?.sessions.follow(request.url, response, this);
      if (this.#isLame()) this.http1.leave(request.socket, response, isPipelined);
      if (isPipelined) this.http1.countPipelined(request.socket, response, this.#onWorkEnd);
      else response.on('close', this.#onWorkEnd);
      this.#service.hold?.onResponse(request.socket, response);
    }
    return this.#emit.call(this.server, event, request, response) || this.#isUnanswered(response);
  }

  /** A request on a connection that a server of another generation accepted. False when nothing here takes it. */
  #answerForeign(event: RequestEvent, request: IncomingRequest, response: AnyResponse): boolean {
    if (this.server.listenerCount(event) > 0) return this.#answer(event, request, response);
    if (event === 'checkExpectation') return endWith(response, 417);
    if (this.server.listenerCount('request') === 0) return false;
    // What http does itself for a server without a listener for the event.
    if (event === 'checkContinue') response.writeContinue();
    return this.#answer('request', request, response);
  }

  #refuse(response: AnyResponse): boolean {
    response.writeHead(503, { connection: 'close' });
    response.end();
    return true;
  }

  /** A dismissed server has no listener: the address vanished with its generation, but a connection is still open. */
  #isUnanswered(response: AnyResponse): boolean {
    return this.#isGone() && this.#refuse(response);
  }

  #isGone(): boolean {
    return this.scope.status === 'retired' || this.scope.status === 'aborted';
  }

  #onStream(values: unknown[]): boolean {
    const answer = (): boolean => this.#onHandedOver('stream', values);
    return this.http2.hold(values[0] as Http2Stream, answer) || answer();
  }

  #onHandedOver(event: 'stream' | 'upgrade' | 'connect', values: unknown[]): boolean {
    const heir = event === 'stream' ? this.#heir() : this.#heirFor(values[0] as IncomingRequest);
    if (heir === this || heir.server.listenerCount(event) === 0) return this.#takeOver(event, values);
    return runInScope(heir.scope, () => {
      const handle = (values[1] as Partial<InternalSocket>)._handle;
      if (event !== 'stream') handle?.asyncReset?.(handle);
      return heir.#takeOver(event, values);
    });
  }

  #takeOver(event: 'stream' | 'upgrade' | 'connect', values: unknown[]): boolean {
    if (event === 'stream') return this.#answerStream(values);
    this.keep(values[1] as EventEmitter, toKeptKind(event, (values[0] as IncomingRequest).headers.upgrade));
    return this.#emit.call(this.server, event, ...values);
  }

  #onPassedOn(event: string, values: unknown[]): boolean {
    try {
      return this.#passOn(event, values);
    } finally {
      // Its handshake has ended since.
      if (event === 'secureConnection') this.#service.hold?.onConnection(values[0] as InternalSocket);
    }
  }

  #passOn(event: string, values: unknown[]): boolean {
    const heir = this.#heir();
    if (heir === this || heir.server.listenerCount(event) === 0)
      return this.#emit.call(this.server, event, ...values);
    return runInScope(heir.scope, () => heir.#emit.call(heir.server, event, ...values));
  }

  #onNetConnection(socket: EventEmitter): void {
    if (this.#isTls) this.#onHandshake(socket);
    else this.keep(socket, 'socket');
  }

  #onSecureNetConnection(socket: InternalSocket): void {
    this.#onHandshaken(socket);
    this.keep(socket, 'socket');
  }

  #onHandshake(socket: EventEmitter): void {
    this.#handshakes.add(socket);
    socket.once('close', () => this.#handshakes.delete(socket));
  }

  #onHandshaken(socket: InternalSocket): void {
    if (socket._parent) this.#handshakes.delete(socket._parent);
  }

  #onClose(): void {
    // An open generation's server may listen again, which starts the interval again.
    if (this.server._handle === null) stopConnectionsChecking(this.server);
    this.#service.onClosed(this);
  }

  /** Counts a socket as upgraded until it closes. */
  keep(socket: EventEmitter, kind: KeptKind): void {
    noteKept(socket, kind);
    this.kept.add(socket);
    socket.once('close', () => this.kept.delete(socket));
  }

  #answerStream(values: unknown[]): boolean {
    const [stream, headers] = values as [Http2Stream, Record<string, string>];
    this.scope.inFlightCount++;
    if (!isThroughDoor(stream.session)) stream[kStartedUs] = nowUs();
    stream.on('close', this.#onWorkEnd);
    this.http2.addStream(stream, headers, this.scope);
    this.#service.hold?.onStream(this, stream);
    if (this.#isLame()) this.http2.leave(stream.session);
    if (this.#emit.call(this.server, 'stream', ...values) || !this.#isGone()) return true;
    stream.respond({ ':status': 503 }, { endStream: true });
    return true;
  }
}

function toAddressType(family: string | undefined): number {
  if (family === undefined) return -1;
  return family === 'IPv6' ? 6 : 4;
}

/** One function for all work of a scope, so that a request needs no closure of its own. */
function toWorkEnd(scope: GenerationScope): (this: AnyResponse | Http2Stream) => void {
  const { meter } = scope;
  return function () {
    scope.inFlightCount--;
    meter?.noteAnswer(this);
  };
}

function endWith(response: AnyResponse, statusCode: number): boolean {
  response.writeHead(statusCode);
  response.end();
  return true;
}
