/**
 * One address: owns the real listening handle, and gives each new connection to the server of the current generation.
 *
 * 1. At most one handle is open, but for the turn in which a copy takes its place; `#state` says which.
 * 2. A handle listens only after `accept()`, so preparing a generation changes nothing outside.
 * 3. `current` is one of `servers`, or null.
 *
 * state     | event            | next      | function
 * closed    | a server listens | opening   | open
 * opening   | acquired         | bound     | open
 * bound     | commit, resume   | accepting | accept
 * accepting | pause            | bound     | pause: a copy that nobody has called listen on is not polled
 * any       | no longer wanted | closed    | close
 */

import type { GenerationScope } from '../generation-scope.ts';
import { runInScope } from '../generation-scope.ts';
import { runAsWork } from '../origin.ts';
import type { AdoptedServer } from './adopted-server.ts';
import type { ListenAddress } from './listen-address.ts';
import type { ListenerSource } from './listener-source.ts';
import { PollingSessions } from './polling-sessions.ts';
import type { ClientHandle, ListenerHandle, SocketName } from './node-internals.ts';

type HubState =
  | { readonly status: 'closed' }
  | { readonly status: 'opening'; readonly opened: Promise<void> }
  | { readonly status: 'bound'; readonly handle: ListenerHandle }
  | { readonly status: 'accepting'; readonly handle: ListenerHandle };

export class Hub {
  readonly address: ListenAddress;
  readonly servers = new Map<GenerationScope, AdoptedServer>();
  readonly sessions = new PollingSessions();
  current: AdoptedServer | null = null;
  /** Where it listens, with the port that the system chose; kept while the handle is closed for a handoff. */
  name: SocketName;
  #state: HubState = { status: 'closed' };

  constructor(address: ListenAddress) {
    this.address = address;
    this.name = toExpectedName(address);
  }

  get status(): HubState['status'] {
    return this.#state.status;
  }

  /** The address with its actual port. */
  get listening(): ListenAddress {
    return this.address.kind === 'unix'
      ? this.address
      : { ...this.address, port: this.name.port ?? this.address.port };
  }

  /** True when the server is that of some generation here. */
  isUsedBy(server: AdoptedServer): boolean {
    return [...this.servers.values()].includes(server);
  }

  /** Makes sure that there is a bound handle. Answers at once where the source does. */
  open(source: ListenerSource): void | Promise<void> {
    if (this.#state.status === 'opening') return this.#state.opened;
    if (this.#state.status !== 'closed') return;
    const acquired = source.acquire(this.address);
    if (!(acquired instanceof Promise)) return this.#bind(acquired);
    const opened: Promise<void> = acquired.then(
      (handle) => (this.#isOpening(opened) ? this.#bind(handle) : handle.close()),
      (error: unknown) => {
        if (this.#isOpening(opened)) this.#state = { status: 'closed' };
        throw error;
      },
    );
    this.#state = { status: 'opening', opened };
    return opened;
  }

  /** Lets connections in. Returns the errno of `listen`, 0 when it listens or will do nothing because nothing is bound. */
  accept(): number {
    if (this.#state.status !== 'bound') return 0;
    const { handle } = this.#state;
    handle.onconnection = (errno, client) => this.#onConnection(errno, client);
    let backlog = 1;
    for (const server of this.servers.values()) backlog = Math.max(backlog, server.backlog);
    const errno = handle.listen(backlog);
    if (errno !== 0) return errno;
    this.#state = { status: 'accepting', handle };
    this.syncRef();
    return 0;
  }

  /** Accepts no more, and keeps the socket: `accept` needs nobody then. Unless it is not wanted any more once there is a
   *  copy. Without one it is closed. */
  async pause(source: ListenerSource, isWanted: () => boolean): Promise<void> {
    const state = this.#state;
    if (state.status !== 'accepting') return;
    const copy = await copyOf(this.address, source);
    if (this.#state !== state || !isWanted()) return copy?.close();
    this.#state = copy === null ? { status: 'closed' } : { status: 'bound', handle: copy };
    return new Promise((resolve) => state.handle.close(resolve));
  }

  /** Closes the handle; connections that were accepted go on. */
  close(): Promise<void> {
    const state = this.#state;
    this.#state = { status: 'closed' };
    if (state.status !== 'bound' && state.status !== 'accepting') return Promise.resolve();
    return new Promise((resolve) => state.handle.close(resolve));
  }

  /** The process stays up for this listener if the current server wants it to. */
  syncRef(): void {
    if (this.#state.status !== 'accepting') return;
    if (this.current?.isRef === false) this.#state.handle.unref();
    else this.#state.handle.ref();
  }

  chmod(mode: number): number {
    if (mode === 0 || (this.#state.status !== 'bound' && this.#state.status !== 'accepting')) return 0;
    return this.#state.handle.fchmod?.(mode) ?? 0;
  }

  #isOpening(opened: Promise<void>): boolean {
    return this.#state.status === 'opening' && this.#state.opened === opened;
  }

  #bind(handle: ListenerHandle): void {
    this.#state = { status: 'bound', handle };
    if (this.address.kind === 'unix') return;
    const name: SocketName = {};
    if ((handle.getsockname?.(name) ?? -1) === 0) this.name = name;
  }

  #onConnection(errno: number, client: ClientHandle): void {
    const server = this.current;
    if (server === null) {
      client?.close();
      return;
    }
    deliver(server, errno, client);
  }
}

/** Gives an accepted connection to a server, inside its generation, as the real handle would have. */
export function deliver(server: AdoptedServer, errno: number, client: ClientHandle): void {
  runInScope(server.scope, () =>
    runAsWork(() => {
      // The handle was made outside of any context; without this its 'data' events would run outside the generation.
      if (errno === 0) client.asyncReset?.(client);
      server.accept(errno, client);
    }),
  );
}

/** Null where there can't be one. */
async function copyOf(address: ListenAddress, source: ListenerSource): Promise<ListenerHandle | null> {
  try {
    // A message whose descriptor found no place has none.
    return (await source.copy?.(address)) ?? null;
  } catch {
    // Whoever binds has gone, or has no descriptor left.
    return null;
  }
}

function toExpectedName(address: ListenAddress): SocketName {
  if (address.kind === 'unix') return {};
  const host = address.host ?? '::';
  return { address: host, family: host.includes(':') ? 'IPv6' : 'IPv4', port: address.port };
}
