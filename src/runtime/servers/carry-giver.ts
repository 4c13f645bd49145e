/**
 * Gives the live connections of this process to another. Owns which of them are frozen, that is: not read, and offered.
 *
 * 1. A connection is frozen and offered in one turn of the event loop, and only between two messages.
 * 2. At most WINDOW_COUNT are frozen at a time, so that none is silent for long, however many there are.
 * 3. Each frozen one is let go of when it was accepted, and read again when it was refused. Refused ones are not offered again,
 *    but for those that came too late.
 *
 * connection  | event                          | next    | function
 * busy, read  | its response ends; a rescan    | ready   | follow, rescan
 * ready       | a place in the window, idle    | frozen  | #offerHttp, #offerUpgraded
 * ready       | a place in the window, busy    | busy    | #offerHttp, #offerUpgraded
 * frozen      | accepted                       | gone    | #settle
 * frozen      | refused as late                | read, and ready by the next rescan | #settle
 * frozen      | refused, no answer             | read    | #settle
 */

import type { EventEmitter } from 'node:events';
import { CARRY_LATE, type CarriedConnection, type CarryReport } from '../../protocol/messages.ts';
import type { CarryOutcome } from '../carry-channel.ts';
import type { AdoptedServer } from './adopted-server.ts';
import { IdleTest, isPlainHttp, toHttpDetail } from './carry-http.ts';
import { carryKinds, type CarryKind } from './carry-kind.ts';
import { isParting } from './kept-sockets.ts';
import { toAddressKey } from './listen-address.ts';
import { type ClientHandle, httpSockets, type InternalSocket } from './node-internals.ts';
import type { GiveAwayOptions } from './server-adoption.ts';

/** Enough to keep both channels busy: more makes each connection silent for longer, and the whole no faster. */
const WINDOW_COUNT = 4;
/** For what becomes idle without a response that ends, and for kinds that said: not now. */
const RESCAN_INTERVAL_MS = 100;
/** A message is one write on a channel that other things wait for. */
const UNREAD_BYTES_MAX = 1024 * 1024;

export interface GiverOptions extends GiveAwayOptions {
  readonly servers: Iterable<AdoptedServer>;
  /** True when no new connection comes any more. */
  isLast(): boolean;
}

interface Candidate {
  readonly server: AdoptedServer;
  readonly socket: InternalSocket;
}

export class CarryGiver {
  readonly #options: GiverOptions;
  readonly #ready = new Map<InternalSocket, AdoptedServer>();
  readonly #frozen = new Set<InternalSocket>();
  readonly #refused = new WeakSet<InternalSocket>();
  readonly #idleTest = new IdleTest();
  readonly #ended = Promise.withResolvers<CarryReport>();
  readonly #timers: readonly NodeJS.Timeout[];
  #status: 'giving' | 'ending' | 'ended' = 'giving';
  #turn: NodeJS.Immediate | null = null;
  #carriedCount = 0;
  #refusedCount = 0;
  #longestSilenceMs = 0;

  constructor(options: GiverOptions) {
    this.#options = options;
    for (const kind of carryKinds().values()) kind.begin();
    this.#timers = [
      setInterval(() => this.rescan(), RESCAN_INTERVAL_MS),
      setTimeout(() => this.stop(), options.timeoutMs),
    ];
    this.rescan();
  }

  /** Resolves when there is nothing left to give, or it was stopped, and every offer has its outcome. */
  get ended(): Promise<CarryReport> {
    return this.#ended.promise;
  }

  /** True when the connection will be offered, at the latest when this response has ended. */
  follow(server: AdoptedServer, socket: InternalSocket, response: EventEmitter): boolean {
    if (this.#status !== 'giving' || !this.#canGive(server, socket)) return false;
    response.once('close', () => this.#look(server, socket));
    return true;
  }

  /** True while the connection waits to be offered, or is. */
  isLeaving(connection: object): boolean {
    return this.#ready.has(connection as InternalSocket) || this.#frozen.has(connection as InternalSocket);
  }

  /** True when this upgraded socket will be offered. */
  willGive(socket: InternalSocket): boolean {
    return this.#status === 'giving' && this.#canGiveUpgraded(socket);
  }

  /** Looks for what can be given, and whether anything is left. */
  rescan(): void {
    // They come first, and to look at all again meanwhile costs time for each of them.
    if (this.#ready.size > 0) return;
    let isEmpty = this.#frozen.size === 0;
    for (const { server, socket } of this.#candidates()) {
      isEmpty = false;
      this.#look(server, socket);
    }
    if (isEmpty && this.#options.isLast()) this.stop();
  }

  /** Offers nothing more. */
  stop(): void {
    if (this.#status !== 'giving') return;
    this.#status = 'ending';
    for (const timer of this.#timers) clearTimeout(timer);
    if (this.#turn !== null) clearImmediate(this.#turn);
    this.#ready.clear();
    this.#endIfDone();
  }

  #canGive(server: AdoptedServer, socket: InternalSocket): boolean {
    if (server.hub === null || !isPlainHttp(server) || this.#refused.has(socket)) return false;
    // A connection that the app itself has handed to the server came by another address.
    return socket._server?.closeIdleConnections !== undefined && socket._parent == null;
  }

  #canGiveUpgraded(socket: InternalSocket): boolean {
    if (this.#options.keepsUpgraded === true) return false;
    return !this.#refused.has(socket) && !isParting(socket) && toKind(socket) !== null;
  }

  #look(server: AdoptedServer, socket: InternalSocket): void {
    if (this.#status !== 'giving' || socket.destroyed || this.#frozen.has(socket)) return;
    this.#ready.set(socket, server);
    this.#turn ??= setImmediate(() => this.#takeTurn());
  }

  *#candidates(): Generator<Candidate> {
    for (const server of this.#options.servers) {
      if (server.hub === null) continue;
      for (const socket of isPlainHttp(server) ? httpSockets(server.server) : [])
        if (this.#canGive(server, socket)) yield { server, socket };
      for (const socket of server.kept as Set<InternalSocket>) {
        if (this.#canGiveUpgraded(socket)) yield { server, socket };
      }
    }
  }

  /** How many may still be given. */
  get #allowed(): number {
    return (this.#options.countMax ?? Infinity) - this.#carriedCount;
  }

  #takeTurn(): void {
    this.#turn = null;
    this.#idleTest.startTurn();
    for (const [socket, server] of this.#ready) {
      if (this.#frozen.size >= WINDOW_COUNT || this.#allowed <= this.#frozen.size) return;
      this.#ready.delete(socket);
      if (socket.parser) this.#offerHttp(server, socket);
      else this.#offerUpgraded(server, socket);
    }
  }

  #offerHttp(server: AdoptedServer, socket: InternalSocket): void {
    const handle = socket._handle;
    if (handle === null || !this.#idleTest.isIdle(socket)) return;
    handle.readStop();
    this.#frozen.add(socket);
    const carried = toCarried(server, 'http', { detail: toHttpDetail(socket), unread: Buffer.alloc(0) });
    void this.#give(carried, socket, handle, null);
  }

  #offerUpgraded(server: AdoptedServer, socket: InternalSocket): void {
    const found = toKind(socket);
    const handle = socket._handle;
    if (found === null || handle === null || socket.destroyed) return;
    const state = found.kind.freeze(socket);
    if (state === null) return;
    if (state.unread.length > UNREAD_BYTES_MAX) return found.kind.thaw(socket);
    this.#frozen.add(socket);
    void this.#give(toCarried(server, found.name, state), socket, handle, found);
  }

  async #give(
    carried: CarriedConnection,
    socket: InternalSocket,
    handle: ClientHandle,
    found: FoundKind | null,
  ): Promise<void> {
    const sinceMs = performance.now();
    const outcome = await this.#options.give(carried, handle);
    this.#longestSilenceMs = Math.max(this.#longestSilenceMs, performance.now() - sinceMs);
    this.#settle(outcome, socket, handle, found);
  }

  #settle(
    outcome: CarryOutcome,
    socket: InternalSocket,
    handle: ClientHandle,
    found: FoundKind | null,
  ): void {
    if (outcome.status === 'accepted') {
      this.#carriedCount++;
      found?.kind.letGo(socket, (id, bytes) => {
        this.#options.sendNote({ kind: found.name, id, bytes: Buffer.from(bytes).toString('base64') });
      });
      // Closes this process's copy of the descriptor; nothing is sent.
      socket.destroy();
      this.#frozen.delete(socket);
    } else {
      if (outcome.reason !== CARRY_LATE) {
        this.#refusedCount++;
        this.#refused.add(socket);
      }
      this.#frozen.delete(socket);
      if (found !== null) found.kind.thaw(socket);
      else if (!socket.destroyed && socket._handle === handle) handle.readStart();
    }
    if (this.#allowed === 0) this.stop();
    else if (this.#ready.size > 0) this.#turn ??= setImmediate(() => this.#takeTurn());
    else if (this.#status === 'giving' && this.#frozen.size === 0) this.rescan();
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.#status !== 'ending' || this.#frozen.size > 0) return;
    this.#status = 'ended';
    for (const kind of carryKinds().values()) kind.end();
    this.#ended.resolve({
      carriedCount: this.#carriedCount,
      refusedCount: this.#refusedCount,
      longestSilenceMs: this.#longestSilenceMs,
    });
  }
}

interface FoundKind {
  readonly name: string;
  readonly kind: CarryKind;
}

function toKind(socket: InternalSocket): FoundKind | null {
  for (const [name, kind] of carryKinds()) if (kind.owns(socket)) return { name, kind };
  return null;
}

function toCarried(
  { hub }: AdoptedServer,
  kind: string,
  { detail, unread }: { readonly detail: unknown; readonly unread: Buffer },
): CarriedConnection {
  // A candidate has a hub.
  const address = hub === null ? '' : toAddressKey(hub.address);
  return { kind, address, unread: unread.toString('base64'), detail };
}
