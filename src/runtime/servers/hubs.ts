/**
 * The hubs of one worker, by address. Owns which there are, and whether any may be open.
 *
 * 1. A hub is here while a server of some generation is on it; equal addresses of two generations have one hub.
 * 2. Once stopped, none is opened and none accepts: the process has handed its listeners over.
 *
 * state     | event  | next      | function
 * accepting | pause  | stopped   | pause: their sockets are kept, idle
 * any       | stop   | stopped   | stop: all are closed
 * stopped   | resume | accepting | resume: those with a current server are to be opened again
 */

import type { GenerationScope } from '../generation-scope.ts';
import type { AdoptedServer } from './adopted-server.ts';
import { Hub } from './hub.ts';
import { isConflict, type ListenAddress, toAddressKey } from './listen-address.ts';
import type { ListenRequest } from './listen-arguments.ts';
import { type ListenerSource, toListenError } from './listener-source.ts';
import type { Readiness } from './when-ready.ts';

export class Hubs {
  readonly #source: ListenerSource;
  readonly #byKey = new Map<string, Hub>();
  #status: 'accepting' | 'stopped' = 'accepting';

  constructor(source: ListenerSource) {
    this.#source = source;
  }

  get status(): 'accepting' | 'stopped' {
    return this.#status;
  }

  all(): Hub[] {
    return [...this.#byKey.values()];
  }

  get(key: string): Hub | undefined {
    return this.#byKey.get(key);
  }

  /** Those on which a generation has a server, its own or one that it inherited. */
  of(scope: GenerationScope): Hub[] {
    return this.all().filter((hub) => hub.servers.has(scope));
  }

  openOf(scope: GenerationScope): Hub[] {
    return this.of(scope).filter((hub) => hub.status !== 'opening');
  }

  readiness(scope: GenerationScope): Readiness {
    const open = this.openOf(scope);
    if (open.length === 0) return 'none';
    if (open.length < this.of(scope).length) return 'some';
    const wanted = this.all().filter((hub) => hub.current !== null);
    return wanted.every((hub) => open.includes(hub)) ? 'all' : 'some';
  }

  /** The address that a generation asks for: its next one, where that is any port. */
  toAddress(scope: GenerationScope, request: ListenRequest): ListenAddress {
    if (request.kind === 'unix') return { kind: 'unix', path: request.path };
    const { host, port } = request;
    const base = {
      kind: 'tcp',
      host,
      port,
      ...(request.isIpv6Only ? { ipv6Only: true as const } : {}),
    } as const;
    let ordinal = 0;
    while (port === 0 && this.#byKey.get(toAddressKey({ ...base, ordinal }))?.servers.has(scope)) ordinal++;
    return { ...base, ordinal };
  }

  /** An inherited server gives way to one that the generation makes itself for the same address. */
  isTaken(scope: GenerationScope, address: ListenAddress): boolean {
    const key = toAddressKey(address);
    return this.of(scope).some((hub) => {
      const isInherited = hub.servers.get(scope)?.scope !== scope;
      return isConflict(hub.address, address) && !(isInherited && toAddressKey(hub.address) === key);
    });
  }

  /** The hub of an address; a closed one, where there was none. */
  at(address: ListenAddress): Hub {
    const key = toAddressKey(address);
    let hub = this.#byKey.get(key);
    if (hub === undefined) {
      hub = new Hub(address);
      this.#byKey.set(key, hub);
    }
    return hub;
  }

  /** Once stopped it does nothing, and `reopen` opens the hub. */
  open(hub: Hub): void | Promise<void> {
    return this.#status === 'stopped' ? undefined : hub.open(this.#source);
  }

  /** Opens a listener again that its server has had before. */
  async reopen(hub: Hub): Promise<void> {
    if (this.#status === 'stopped') return;
    await hub.open(this.#source);
    if (hub.current === null) return hub.close();
    const errno = hub.accept();
    if (errno !== 0) throw toListenError(errno, hub.address);
  }

  /** All or nothing: a listener that can't listen closes those that this call had opened. */
  acceptOrUndo(scope: GenerationScope): void {
    const accepted: Hub[] = [];
    for (const hub of this.of(scope)) {
      if (hub.status !== 'bound' || this.#status === 'stopped') continue;
      const errno = hub.accept();
      accepted.push(hub);
      if (errno === 0) continue;
      for (const each of accepted) void each.close();
      throw toListenError(errno, hub.address);
    }
  }

  /** Lets connections in, where it may. Returns the errno of `listen`. */
  accept(hub: Hub): number {
    return this.#status === 'stopped' ? 0 : hub.accept();
  }

  async pause(): Promise<void> {
    this.#status = 'stopped';
    const isStopped = (): boolean => this.#status === 'stopped';
    await Promise.all(this.all().map((hub) => hub.pause(this.#source, isStopped)));
  }

  async stop(): Promise<void> {
    this.#status = 'stopped';
    await Promise.all(this.all().map((hub) => hub.close()));
  }

  /** Answers with those that `reopen` has to open. */
  resume(): Hub[] {
    this.#status = 'accepting';
    return this.all().filter((hub) => hub.current !== null);
  }

  /** Takes a server off its listener, for every generation that has it. */
  detach(server: AdoptedServer): void {
    const { hub } = server;
    if (hub === null) return;
    for (const [scope, each] of hub.servers) if (each === server) hub.servers.delete(scope);
    this.prune(hub);
  }

  /** A server has left it: closes it where that was the current one, and forgets it where that was the last. */
  prune(hub: Hub): void {
    if (hub.current !== null && !hub.isUsedBy(hub.current)) {
      hub.current = null;
      void hub.close();
    }
    if (hub.servers.size > 0) return;
    const key = toAddressKey(hub.address);
    if (this.#byKey.get(key) === hub) this.#byKey.delete(key);
    void hub.close();
  }
}
