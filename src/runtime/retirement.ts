/**
 * What becomes of generations that no longer count. Owns those that are on their way out, the modules that may have something
 * open, and what is known of generations that have ended.
 *
 *   state     | event                                      | next
 *   retiring  | its requests have ended, or the deadline   | its modules are disposed of
 *   disposed  | that has ended                             | followed by the ledger until it is collected
 */

import type { RetainedGeneration } from '../protocol/messages.ts';
import { watchClientSockets, type ClientSocket } from './client-sockets.ts';
import { describeOpen, endGeneration, ownInstances, ownLives, type Generation } from './generation.ts';
import type { HotEvents } from './hot-events.ts';
import type { ModuleLife } from './module-life.ts';
import { whenQuiet } from './quiet.ts';
import { createRetainedLedger, describe, type Pin } from './retained.ts';
import type { ServerAdoption } from './servers/adoption.ts';

export interface RetirementOptions {
  readonly servers: ServerAdoption;
  readonly hotEvents: HotEvents;
  /** All generations of the process that have not ended. */
  readonly generations: () => readonly Generation[];
  readonly current: () => Generation | null;
}

export interface Retirement {
  readonly retiring: ReadonlySet<Generation>;
  /** Ends a generation once its requests have ended, or at the deadline. */
  retire(generation: Generation, timeoutMs: number): Promise<void>;
  /** Ends a generation now. `successor` is the one that is current then. */
  end(generation: Generation, status: 'retired' | 'aborted', successor: Generation | null): Promise<void>;
  /** A module may have something open from now on. */
  noticeOpened(life: ModuleLife): void;
  /** Another generation is current: what belongs to modules acts, or falls silent. */
  noticeStatus(): void;
  /** Older generations that are still there, and what keeps them; with the one to go back to, where that is kept. */
  list(proved: Generation | null): readonly RetainedGeneration[];
  count(limit: number): Promise<number>;
  /** The trees that code which lives on may read from. */
  roots(): readonly string[];
  dispose(): void;
}

export function createRetirement(options: RetirementOptions): Retirement {
  return new ProcessRetirement(options);
}

class ProcessRetirement implements Retirement {
  readonly retiring = new Set<Generation>();
  readonly #options: RetirementOptions;
  readonly #open = new Set<ModuleLife>();
  readonly #clientSockets = watchClientSockets();
  readonly #ledger = createRetainedLedger((scope) => ({
    accepted: this.#options.servers.pins(scope),
    opened: this.#clientSockets.of(scope).map(toPin),
  }));

  constructor(options: RetirementOptions) {
    this.#options = options;
  }

  async retire(generation: Generation, timeoutMs: number): Promise<void> {
    this.retiring.add(generation);
    await whenQuiet(generation.scope, timeoutMs);
    this.#announcePrune(generation);
    await this.end(generation, 'retired', this.#options.current());
    this.#options.servers.retire(generation.scope);
    this.retiring.delete(generation);
    void this.#letGo(generation);
  }

  async end(
    generation: Generation,
    status: 'retired' | 'aborted',
    successor: Generation | null,
  ): Promise<void> {
    await endGeneration(generation, status, { successor, others: this.#others(generation) });
    const others = this.#others(generation);
    for (const life of this.#open) if (!others.some(({ lives }) => lives.has(life))) this.#open.delete(life);
  }

  noticeOpened(life: ModuleLife): void {
    this.#open.add(life);
  }

  noticeStatus(): void {
    for (const { opened } of this.#open) opened.lifetime?.statusChanged();
  }

  list(proved: Generation | null): readonly RetainedGeneration[] {
    const kept = proved === null ? [] : [this.#report(proved, ['probation of the current one'])];
    const leaving = [...this.retiring].map((generation) => this.#report(generation, []));
    return [...this.#ledger.list(), ...leaving, ...kept];
  }

  async count(limit: number): Promise<number> {
    return this.retiring.size + (await this.#ledger.count(limit - this.retiring.size));
  }

  roots(): readonly string[] {
    return this.#ledger.roots();
  }

  dispose(): void {
    this.#clientSockets.dispose();
  }

  /** What only this generation had is held by nobody but who captured it, once its last upgraded socket has closed. */
  async #letGo(generation: Generation): Promise<void> {
    const others = this.#others(generation);
    const instances = ownInstances(generation, others);
    const lives = ownLives(generation, others);
    const { scope } = generation;
    this.#ledger.add({ scope, instances, lifetimes: lives.flatMap(({ opened }) => opened.lifetime ?? []) });
    await this.#options.servers.whenLeft(generation.scope);
    generation.graph.letGo(instances);
  }

  #report(generation: Generation, reasons: readonly string[]): RetainedGeneration {
    const { scope } = generation;
    const sockets = this.#clientSockets.of(scope).map(toPin);
    const pins = describe([...this.#options.servers.pins(scope), ...sockets]);
    const pinnedBy = [...reasons, ...pins, ...describeOpen(generation, this.#others(generation))];
    return { generation: scope.generation, release: scope.release, pinnedBy };
  }

  #announcePrune(generation: Generation): void {
    const { current, hotEvents } = this.#options;
    const instances = current()?.graph.instances;
    if (instances === undefined) return;
    const own = ownLives(generation, this.#others(generation));
    const paths = own.map(({ origin }) => origin.path).filter((at) => !instances.has(at));
    if (paths.length > 0) hotEvents.emit('vite:beforePrune', { type: 'prune', paths });
  }

  #others(generation: Generation): Generation[] {
    return this.#options.generations().filter((each) => each !== generation);
  }
}

function toPin({ peer, line }: ClientSocket): Pin {
  return { text: `socket to ${peer}`, line };
}
