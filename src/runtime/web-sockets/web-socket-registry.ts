/**
 * The WebSocketServers of a process whose WebSockets can be carried. Found through `globalThis`, as the states are, so that any
 * copy of this package sees the same.
 */

import { MidflightError } from '../../errors.ts';
import { currentScope, type GenerationScope } from '../generation-scope.ts';
import type { CarryOptions } from './carry-web-sockets.ts';
import { CarriedServer, type Member } from './carried-server.ts';
import type { InternalWebSocketServer, WebSocketStream } from './ws-internals.ts';

export interface WebSocketRegistry {
  register(server: InternalWebSocketServer, options: CarryOptions<object, unknown>): void;
  servers(): readonly CarriedServer[];
  /** The WebSocket on a socket, where it is one of theirs. */
  memberOf(socket: WebSocketStream): Member | undefined;
  /** The server to which connections of a name come now. */
  find(name: string): CarriedServer | undefined;
  /** `carryWebSockets()` knows this registry no longer. */
  dispose(): void;
}

export interface WebSocketRegistryOptions {
  current(): GenerationScope | null;
}

const kRegistry = Symbol.for('midflight.webSockets');

/** The registry of this process; undefined where Midflight does not run. */
export function findRegistry(): WebSocketRegistry | undefined {
  return (globalThis as { [kRegistry]?: WebSocketRegistry })[kRegistry];
}

/** Makes the registry of this process, which `carryWebSockets()` uses from now on. */
export function createWebSocketRegistry(options: WebSocketRegistryOptions): WebSocketRegistry {
  const registry = new Registry(options);
  Object.defineProperty(globalThis, kRegistry, { value: registry, configurable: true });
  return registry;
}

class Registry implements WebSocketRegistry {
  readonly #options: WebSocketRegistryOptions;
  /** The newest last. Held by their servers of `ws` alone, so that they go with the code that made these. */
  #servers: WeakRef<CarriedServer>[] = [];
  readonly #members = new WeakMap<WebSocketStream, Member>();

  constructor(options: WebSocketRegistryOptions) {
    this.#options = options;
  }

  register(server: InternalWebSocketServer, options: CarryOptions<object, unknown>): void {
    const added = new CarriedServer({ server, options, scope: currentScope(), members: this.#members });
    const conflict = this.servers().find(({ scope, name }) => scope === added.scope && name === added.name);
    if (conflict !== undefined) throw new MidflightError('ERR_MIDFLIGHT_WEB_SOCKETS_CONFLICT', [added.name]);
    this.#servers.push(new WeakRef(added));
  }

  servers(): readonly CarriedServer[] {
    this.#servers = this.#servers.filter((each) => each.deref() !== undefined);
    return this.#servers.map((each) => each.deref()).filter((each) => each !== undefined);
  }

  memberOf(socket: WebSocketStream): Member | undefined {
    return this.#members.get(socket);
  }

  find(name: string): CarriedServer | undefined {
    const current = this.#options.current()?.generation ?? Number.POSITIVE_INFINITY;
    return this.servers().findLast(
      ({ name: own, scope }) =>
        own === name && (scope === undefined || (isThere(scope) && scope.generation <= current)),
    );
  }

  dispose(): void {
    Reflect.deleteProperty(globalThis, kRegistry);
  }
}

function isThere({ status }: GenerationScope): boolean {
  return status !== 'preparing' && status !== 'aborted';
}
