/**
 * One WebSocketServer whose WebSockets can be carried. Owns which of them are here, with the request that each began with.
 * It learns of them where `ws` makes them, in `completeUpgrade`, so that servers without an HTTP server of their own are known too.
 */

import type { IncomingMessage } from 'node:http';
import { currentScope, runInScope, type GenerationScope } from '../generation-scope.ts';
import { runAsWork } from '../origin.ts';
import type { CarryOptions } from './carry-web-sockets.ts';
import { keepInflated } from './inflate-history.ts';
import {
  DEFLATE,
  endIfEmpty,
  SERVER_RUNNING,
  type InternalWebSocket,
  type InternalWebSocketServer,
  type WebSocketStream,
} from './ws-internals.ts';

/** A WebSocket, by its socket. */
export interface Member {
  readonly server: CarriedServer;
  readonly webSocket: InternalWebSocket;
  readonly request: IncomingMessage;
}

export interface CarriedServerOptions {
  readonly server: InternalWebSocketServer;
  readonly options: CarryOptions<object, unknown>;
  readonly scope: GenerationScope | undefined;
  /** Of all servers. */
  readonly members: WeakMap<WebSocketStream, Member>;
}

export class CarriedServer {
  readonly server: InternalWebSocketServer;
  readonly options: CarryOptions<object, unknown>;
  readonly name: string;
  /** The generation whose code made it; undefined outside of any. */
  readonly scope: GenerationScope | undefined;
  /** Those that are open here. */
  readonly members = new Map<InternalWebSocket, IncomingMessage>();
  readonly #allMembers: WeakMap<WebSocketStream, Member>;
  /** Those that are elsewhere. They stay in `clients`, since what is broadcast by work that is still under way is passed on. */
  readonly #departed = new Set<InternalWebSocket>();

  constructor({ server, options, scope, members }: CarriedServerOptions) {
    this.#allMembers = members;
    this.server = server;
    this.options = options;
    this.name = options.name ?? server.options.path ?? '/';
    this.scope = scope;
    this.#watchUpgrades();
    this.#watchClose();
  }

  /** It is open, and belongs to this server from now on. */
  add(webSocket: InternalWebSocket, request: IncomingMessage): void {
    this.members.set(webSocket, request);
    this.#allMembers.set(webSocket._socket, { server: this, webSocket, request });
    webSocket.once('close', () => this.members.delete(webSocket));
  }

  /** What went away comes back, or nothing of it counts any more. */
  forgetDeparted(): void {
    for (const webSocket of this.#departed) this.server.clients?.delete(webSocket);
    this.#departed.clear();
  }

  /** It has gone to another process. */
  depart(webSocket: InternalWebSocket): void {
    const { server } = this;
    this.members.delete(webSocket);
    this.#allMembers.delete(webSocket._socket);
    if (server._state === SERVER_RUNNING) {
      if (server.clients?.has(webSocket) === true) this.#departed.add(webSocket);
    } else {
      server.clients?.delete(webSocket);
      endIfEmpty(server);
    }
    this.#tell('forget', webSocket);
  }

  /** It stays in this process, with another server. */
  yield(webSocket: InternalWebSocket): void {
    this.members.delete(webSocket);
    this.#tell('forget', webSocket);
  }

  /** It was to go, and has not. */
  keep(webSocket: InternalWebSocket): void {
    this.#tell('keep', webSocket);
  }

  #tell(what: 'forget' | 'keep', webSocket: InternalWebSocket): void {
    try {
      this.run(() => this.options[what]?.(webSocket));
    } catch (error) {
      console.error(`"${what}" of the WebSockets of "${this.name}" threw:`, error);
    }
  }

  /** Calls the app's code, as the work of the generation that made the server where it is nobody's. */
  run<Result>(call: () => Result): Result {
    return this.scope === undefined || currentScope() !== undefined
      ? call()
      : runInScope(this.scope, () => runAsWork(call));
  }

  #watchUpgrades(): void {
    const { server } = this;
    const complete = server.completeUpgrade.bind(server);
    server.completeUpgrade = (...values) => {
      const onUpgraded = values.pop() as (webSocket: InternalWebSocket, request: IncomingMessage) => void;
      complete(...values, (webSocket, request) => {
        const deflate = webSocket._extensions[DEFLATE];
        if (deflate !== undefined) keepInflated(deflate);
        this.add(webSocket, request);
        onUpgraded(webSocket, request);
      });
    };
  }

  /** A server that is closed waits for its clients, and those that have gone never close here. */
  #watchClose(): void {
    const { server } = this;
    const close = server.close.bind(server);
    server.close = (callback) => {
      this.forgetDeparted();
      close(callback);
    };
  }
}
