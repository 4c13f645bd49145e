/**
 * The open exchanges of one server over HTTP/1, a request with its response each, and how a connection ends without losing one.
 * Owns which responses wait behind others.
 *
 * 1. Only the last response of a connection says `Connection: close`: those that wait behind it would be cut off. With pipelining
 *    the connection is left to end later.
 * 2. A connection that another process is about to get is not asked to end.
 */

import type { GenerationScope } from '../generation-scope.ts';
import type { kStartedUs } from '../service-meter.ts';
import { isEventStream, type StreamedResponse } from './event-stream.ts';
import { lameResponse, unlameResponse } from './lame-response.ts';
import {
  httpSockets,
  type InternalRequest,
  type InternalResponse,
  type InternalServer,
  type InternalSocket,
} from './node-internals.ts';

/** On a response: the generation that answers, and since when. */
export const kWork = Symbol('midflight.work');
export const kSince = Symbol('midflight.since');

export interface AnyResponse extends InternalResponse, StreamedResponse {
  readonly req?: InternalRequest;
  [kWork]?: GenerationScope;
  [kSince]?: number;
  [kStartedUs]?: number;
  readonly stream?: unknown;
  statusCode: number;
  writeContinue(): void;
  writeHead(statusCode: number, headers?: Record<string, string>): void;
}

export interface Exchange {
  readonly socket: InternalSocket;
  readonly response: AnyResponse;
}

/** What becomes of connections, as their server knows. */
export interface Http1Options {
  /** Its connections are to end. */
  isLame(): boolean;
  /** True when another process will get the connection, at the latest when this response has ended. */
  willCarry(socket: InternalSocket, response: InternalResponse): boolean;
}

export class Http1Exchanges {
  readonly #server: InternalServer;
  readonly #options: Http1Options;
  /** The last of several pipelined responses, by socket. Empty in practice. */
  readonly #lastPipelined = new WeakMap<InternalSocket, AnyResponse>();

  constructor(server: InternalServer, options: Http1Options) {
    this.#server = server;
    this.#options = options;
  }

  /** Those whose responses have begun or wait. */
  *open(): Generator<Exchange> {
    for (const socket of httpSockets(this.#server)) {
      const responses = new Set([socket._httpMessage, this.#lastPipelined.get(socket)]);
      for (const response of responses) if (response) yield { socket, response: response as AnyResponse };
    }
  }

  eventStreams(): AnyResponse[] {
    return [...this.open()].map(({ response }) => response).filter(isEventStream);
  }

  /** A response that waits behind another is not told when the connection breaks, so the socket is asked too. */
  countPipelined(
    socket: InternalSocket,
    response: AnyResponse,
    onWorkEnd: (this: AnyResponse) => void,
  ): void {
    let onEnd: ((this: AnyResponse) => void) | null = onWorkEnd;
    const end = (): void => {
      socket.removeListener('close', end);
      onEnd?.call(response);
      onEnd = null;
    };
    response.on('close', end);
    socket.on('close', end);
    this.#lastPipelined.set(socket, response);
  }

  /** Says `Connection: close` in the responses that have not begun, so that their connections end with them. */
  leaveAll(): void {
    for (const socket of httpSockets(this.#server)) {
      const response = this.#lastOn(socket);
      if (response && !this.#options.willCarry(socket, response)) this.#lame(socket, response);
    }
  }

  /** Undoes `leaveAll` for what has still not begun. */
  stay(): void {
    for (const { response } of this.open()) unlameResponse(response);
  }

  /** Says it in a response that is about to be answered. */
  leave(socket: InternalSocket, response: AnyResponse, isPipelined: boolean): void {
    if (this.#options.willCarry(socket, response)) return;
    if (!isPipelined) {
      this.#lame(socket, response);
      return;
    }
    for (const before of [socket._httpMessage, this.#lastPipelined.get(socket)]) {
      if (before) unlameResponse(before);
    }
  }

  #lame(socket: InternalSocket, response: InternalResponse): void {
    lameResponse(response, () => this.#options.isLame() && this.#lastOn(socket) === response);
  }

  /** The response of a connection that no other waits behind. */
  #lastOn(socket: InternalSocket): InternalResponse | null | undefined {
    const pipelined = this.#lastPipelined.get(socket);
    return pipelined && !pipelined.writableFinished ? pipelined : socket._httpMessage;
  }
}
