/**
 * Adopted servers: `listen()` in a generation does not bind; the generation's servers get the connections of listeners
 * that outlive it. Owns the servers of one worker, and which of them each hub is to give connections to.
 *
 * 1. Only `commit` changes which generation gets connections and requests, and it does so in one synchronous step.
 * 2. Preparing never listens; a generation that is aborted has changed nothing outside the process.
 * 3. A listening handle is not closed while the current generation has a server for it, but by `pauseAccepting` and `stopAccepting`.
 */

import type { EventEmitter } from 'node:events';
import type net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import type { CarryReport, OpenWork } from '../../protocol/messages.ts';
import type { Take } from '../carry-channel.ts';
import type { GenerationScope } from '../generation-scope.ts';
import type { ModuleOrigin } from '../origin.ts';
import type { Pin } from '../retained.ts';
import { AdoptedListen } from './adopted-listen.ts';
import type { AdoptedServer, Service } from './adopted-server.ts';
import { CarryGiver } from './carry-giver.ts';
import { decideTakeover } from './carry-taker.ts';
import { ConnectionHold } from './connection-hold.ts';
import {
  drainServers,
  partWithin,
  type DrainOptions,
  type DrainReport,
  type QuietReport,
  waitUntil,
} from './drain-servers.ts';
import type { Hub } from './hub.ts';
import { Hubs } from './hubs.ts';
import { isAddress, type ListenAddress } from './listen-address.ts';
import { describeKept } from './kept-sockets.ts';
import type { ListenerSource } from './listener-source.ts';
import { countWork, pinsOf, toOpenWork, type WorkCounts } from './open-work.ts';
import type { InternalSocket } from './node-internals.ts';
import { type Door, openDoor } from './private-door.ts';
import {
  type ConnectOptions,
  connectToServer,
  type ProbeAnswer,
  type ProbeOptions,
  probeServer,
} from './probe-server.ts';
import type { GiveAwayOptions, ServerAdoption } from './server-adoption.ts';
import { warmUpHttp } from './warm-up.ts';
import { type ListeningResult, type WaitOptions, whenReady } from './when-ready.ts';

export type { ListenerSource, ListeningResult, ServerAdoption };

/** Takes over `listen()` of all servers whose code runs in a generation. */
export function adoptServers(options: { source: ListenerSource }): ServerAdoption {
  return new Adoption(options.source);
}

/** Clients wait meanwhile. */
const RELEASE_INTERVAL_MS = 10;

class Adoption implements ServerAdoption {
  readonly #hubs: Hubs;
  /** All servers with something open: a listener or a connection. */
  readonly #servers = new Set<AdoptedServer>();
  readonly #watchers = new Set<() => void>();
  readonly #service: Service = {
    status: 'serving',
    giver: null,
    hold: null,
    onClosing: (server) => this.#hubs.detach(server),
    onClosed: (server) => this.#onClosed(server),
  };
  readonly #listening: AdoptedListen;
  #current: GenerationScope | null = null;
  #isWarm = false;

  constructor(source: ListenerSource) {
    this.#hubs = new Hubs(source);
    this.#listening = new AdoptedListen({
      hubs: this.#hubs,
      servers: this.#servers,
      service: this.#service,
      current: () => this.#current,
      onChange: () => this.#changed(),
    });
  }

  restore(): void {
    this.#listening.restore();
  }

  inherit(scope: GenerationScope, isShared: (origin: ModuleOrigin | undefined) => boolean): void {
    for (const { current, servers } of this.#hubs.all()) {
      if (current === null || servers.has(scope)) continue;
      const origin = current.origin?.kind === 'module' ? current.origin : undefined;
      if (isShared(origin)) servers.set(scope, current);
    }
    this.#changed();
  }

  async whenListening(scope: GenerationScope, options: WaitOptions): Promise<ListeningResult> {
    const status = await whenReady(() => this.#hubs.readiness(scope), this.#watchers, options);
    return { status, listening: this.listening(scope) };
  }

  commit(scope: GenerationScope): void {
    if (this.#current !== null && !this.#hubs.of(scope).length) this.inherit(scope, () => true);
    this.#hubs.acceptOrUndo(scope);
    this.#current = scope;
    for (const hub of this.#hubs.all()) {
      const next = hub.servers.get(scope) ?? null;
      next?.rebind(scope);
      hub.current = next;
      if (next === null) void hub.close();
      else if (hub.status === 'closed') void this.#reopen(hub);
      hub.syncRef();
    }
  }

  abort(scope: GenerationScope): void {
    this.#dismiss(scope);
  }

  retire(scope: GenerationScope): void {
    this.#dismiss(scope);
  }

  async pauseAccepting(): Promise<void> {
    await this.#hubs.pause();
    this.#service.giver?.rescan();
  }

  async stopAccepting(): Promise<void> {
    await this.#hubs.stop();
    this.#service.giver?.rescan();
  }

  async resumeAccepting(): Promise<void> {
    await Promise.all(this.#hubs.resume().map((hub) => this.#reopen(hub)));
  }

  async hold(): Promise<void> {
    const hold = (this.#service.hold ??= new ConnectionHold());
    hold.hold(this.#servers);
    await this.pauseAccepting();
    // What was accepted until then.
    hold.hold(this.#servers);
  }

  holdKept(): void {
    this.#service.hold?.holdKept(this.#servers);
  }

  async unhold(): Promise<void> {
    const { hold } = this.#service;
    this.#service.hold = null;
    const isLeaving = (connection: object): boolean => this.#service.giver?.isLeaving(connection) ?? false;
    // The giver has a deadline of its own, and then nothing is leaving.
    while (hold?.release(isLeaving) === false) await sleep(RELEASE_INTERVAL_MS);
  }

  async drain(options: DrainOptions): Promise<DrainReport> {
    this.#service.status = 'draining';
    return drainServers(
      {
        servers: this.#servers,
        willGive: (socket) => this.#service.giver?.willGive(socket as InternalSocket) === true,
        stopGiving: async () => {
          const { giver } = this.#service;
          giver?.stop();
          await giver?.ended;
        },
      },
      options,
    );
  }

  openWork(): OpenWork | null {
    return this.#service.status === 'draining' ? toOpenWork([...this.#servers]) : null;
  }

  async partWithRetired(spreadMs: number): Promise<void> {
    await partWithin(
      [...this.#servers].filter(({ scope }) => scope.status === 'retired'),
      spreadMs,
    );
  }

  undrain(): void {
    this.#service.status = 'serving';
    this.#service.giver?.stop();
    for (const server of this.#servers) server.unlame();
  }

  async giveAway(options: GiveAwayOptions): Promise<CarryReport> {
    this.#service.giver?.stop();
    const isLast = (): boolean => this.#hubs.status === 'stopped';
    const giver = new CarryGiver({ ...options, servers: this.#servers, isLast });
    this.#service.giver = giver;
    const report = await giver.ended;
    if (this.#service.giver === giver) this.#service.giver = null;
    // What could not be given is asked to leave like everything else.
    if (this.#service.status === 'draining') for (const server of this.#servers) server.lame();
    return report;
  }

  readonly takeOver: Take = (carried, handle) => {
    const hub = this.#hubs.get(carried.address);
    const isOpen = this.#service.status === 'serving' && hub?.status === 'accepting';
    return decideTakeover(isOpen ? hub.current : null, carried, handle);
  };

  rekeep(socket: net.Socket): void {
    for (const server of this.#servers) {
      const heir = server.hub?.current;
      if (heir !== null && heir !== undefined && heir !== server && server.kept.delete(socket))
        heir.keep(socket, describeKept(socket).kind);
    }
  }

  counts(): WorkCounts {
    return countWork(this.#servers);
  }

  async whenQuiet(scope: GenerationScope, { timeoutMs }: { timeoutMs: number }): Promise<QuietReport> {
    await waitUntil(() => scope.inFlightCount === 0, { timeoutMs });
    const upgradedCount = this.#keptOf(scope).length;
    return { timedOut: scope.inFlightCount > 0, inFlightCount: scope.inFlightCount, upgradedCount };
  }

  async whenLeft(scope: GenerationScope): Promise<void> {
    for (let [socket] = this.#keptOf(scope); socket !== undefined; [socket] = this.#keptOf(scope)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      socket.once('close', resolve);
      await promise;
    }
  }

  pins(scope: GenerationScope): readonly Pin[] {
    return [...this.#servers].flatMap((server) => pinsOf(server, scope));
  }

  #keptOf(scope: GenerationScope): EventEmitter[] {
    return [...this.#servers].filter((server) => server.scope === scope).flatMap(({ kept }) => [...kept]);
  }

  listening(scope: GenerationScope | null = this.#current): readonly ListenAddress[] {
    return scope === null ? [] : this.#hubs.openOf(scope).map((hub) => hub.listening);
  }

  async probe(scope: GenerationScope, options: ProbeOptions): Promise<ProbeAnswer> {
    return probeServer(
      this.#serversOf(scope).find(({ kind }) => kind !== 'net'),
      options,
    );
  }

  async connect(
    scope: GenerationScope,
    { address, ...options }: ConnectOptions & { readonly address: string },
  ): Promise<string | null> {
    const hub = this.#hubs.of(scope).find(({ listening }) => isAddress(listening, address));
    const server = hub?.servers.get(scope);
    return server === undefined ? 'no server of it listens there' : connectToServer(server, options);
  }

  openDoor(scope: GenerationScope): Door | null {
    const servers = this.#serversOf(scope);
    const server = servers.find(({ kind }) => kind !== 'net') ?? servers[0];
    return server === undefined ? null : openDoor(server, 'everybody');
  }

  #serversOf(scope: GenerationScope): AdoptedServer[] {
    return this.#hubs.of(scope).flatMap((hub) => hub.servers.get(scope) ?? []);
  }

  async warmUp(scope: GenerationScope): Promise<void> {
    if (this.#isWarm || !this.#hubs.of(scope).some(({ servers }) => servers.get(scope)?.kind === 'http'))
      return;
    this.#isWarm = true;
    await warmUpHttp();
  }

  async #reopen(hub: Hub): Promise<void> {
    const server = hub.current;
    try {
      await this.#hubs.reopen(hub);
    } catch (error) {
      if (server !== null) this.#listening.fail(server, error);
    }
  }

  #dismiss(scope: GenerationScope): void {
    if (this.#current === scope) this.#current = null;
    const orphans = new Set([...this.#servers].filter((server) => server.scope === scope));
    for (const hub of this.#hubs.of(scope)) {
      const server = hub.servers.get(scope);
      hub.servers.delete(scope);
      if (server !== undefined && !hub.isUsedBy(server)) orphans.add(server);
      else if (server !== undefined) orphans.delete(server);
      this.#hubs.prune(hub);
    }
    for (const server of orphans) server.dismiss();
    this.#changed();
  }

  #onClosed(server: AdoptedServer): void {
    if (server.server._handle === null) this.#servers.delete(server);
  }

  #changed(): void {
    for (const watcher of this.#watchers) watcher();
  }
}
