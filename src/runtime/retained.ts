/**
 * Generations that have retired, followed until all that they left is collected. Owns what is known of those that are still
 * there: what they have open, and which of their modules' code lives on.
 *
 * 1. Nothing here keeps code: modules are held weakly, and lines of code are text.
 * 2. A generation is told of when something of it is known to be open, or when it has outlived collections of the whole heap:
 *    what has only not been collected yet is not retained.
 * 3. There are at most REMAINS_MAX.
 */

import { constants, PerformanceObserver } from 'node:perf_hooks';
import type { RetainedGeneration } from '../protocol/messages.ts';
import type { CallingLine } from './calling-line.ts';
import { collectGarbage } from './collect-garbage.ts';
import type { GenerationScope } from './generation-scope.ts';
import type { Lifetime } from './lifetime.ts';
import type { ModuleInstance } from './module-instance.ts';

/** A process that retains more is past helping; older ones are told of no more. */
const REMAINS_MAX = 256;
/** One may have begun before the generation retired, and then tells nothing. */
const COLLECTIONS_MIN = 2;
/** A collection of a larger heap would be felt by requests: there what has outlived V8's own collections counts. */
const COLLECTED_BYTES_MAX = 64 * 1_048_576;
/** As many names as a person reads in one line. */
const NAMES_SHOWN_MAX = 5;

/** What a generation has left when it retired. */
export interface Leaving {
  readonly scope: GenerationScope;
  /** The modules that no other generation has. */
  readonly instances: readonly ModuleInstance[];
  /** With what the work of their connections has started, and may start yet. */
  readonly lifetimes: readonly Lifetime[];
}

/** Something open, in words, with the line that made it where that is known. */
export interface Pin {
  readonly text: string;
  readonly line: CallingLine | null;
}

/** What a generation has open outside of its modules' own lives. */
export interface Pins {
  /** Requests that it is answering, and sockets that it has accepted. */
  readonly accepted: readonly Pin[];
  /** Sockets that its code has opened, or code that it shares. */
  readonly opened: readonly Pin[];
}

export interface RetainedLedger {
  /** Follows what a generation has left. */
  readonly add: (leaving: Leaving) => void;
  readonly list: () => readonly RetainedGeneration[];
  /** The trees that code which lives on may read from. */
  readonly roots: () => readonly string[];
  /** How many are still there. Where it could be more than `limit`, only what a collection leaves is counted: one that is asked
   *  for where the heap is small, else those that V8 has made by itself. */
  readonly count: (limit: number) => Promise<number>;
}

interface RemainingModule {
  readonly path: string;
  readonly filename: string;
  readonly root: string;
  readonly token: WeakRef<object>;
  readonly imports: readonly string[];
}

interface Remains {
  readonly scope: GenerationScope;
  readonly modules: readonly RemainingModule[];
  /** Held by what has something open. */
  readonly lifetimes: readonly WeakRef<Lifetime>[];
  /** Collections of the whole heap that it has outlived. */
  collectionCount: number;
}

/** Makes the ledger of a process; `pinsOf` says what a generation has open. */
export function createRetainedLedger(pinsOf: (scope: GenerationScope) => Pins): RetainedLedger {
  return new Ledger(pinsOf);
}

class Ledger implements RetainedLedger {
  readonly #pinsOf: (scope: GenerationScope) => Pins;
  readonly #remains = new Set<Remains>();
  /** Works while there is something to follow. An object that nobody holds would not do as a witness: from Node 26 on also a
   *  collection of what is young takes it. */
  readonly #collections = new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
      if (isOfWholeHeap(entry)) for (const remains of this.#remains) this.#onCollection(remains);
  });

  constructor(pinsOf: (scope: GenerationScope) => Pins) {
    this.#pinsOf = pinsOf;
  }

  add({ scope, instances, lifetimes }: Leaving): void {
    const modules = instances.map(toRemaining);
    const weakLifetimes = lifetimes.map((lifetime) => new WeakRef(lifetime));
    const remains = { scope, modules, lifetimes: weakLifetimes, collectionCount: 0 };
    if (this.#remains.size === 0) this.#collections.observe({ entryTypes: ['gc'] });
    this.#remains.add(remains);
    const [oldest] = this.#remains;
    if (this.#remains.size > REMAINS_MAX && oldest !== undefined) this.#remains.delete(oldest);
  }

  list(): RetainedGeneration[] {
    return [...this.#remains].flatMap((remains) => {
      const pinnedBy = this.#reasons(remains);
      const { generation, release } = remains.scope;
      return pinnedBy.length === 0 ? [] : { generation, release, pinnedBy };
    });
  }

  roots(): string[] {
    const retained = [...this.#remains].filter((remains) => this.#reasons(remains).length > 0);
    const alive = retained.flatMap(({ modules }) => modules.filter(isAlive));
    return [...new Set(alive.map(({ root }) => root))];
  }

  async count(limit: number): Promise<number> {
    const all = this.#countWhere((remains) => this.#isThere(remains));
    if (all <= limit) return all;
    if (process.memoryUsage().heapUsed > COLLECTED_BYTES_MAX)
      return this.#countWhere((remains) => this.#reasons(remains).length > 0);
    await collectGarbage();
    return this.#countWhere((remains) => this.#isThere(remains));
  }

  #countWhere(counts: (remains: Remains) => boolean): number {
    return [...this.#remains].filter(counts).length;
  }

  #isThere(remains: Remains): boolean {
    return this.#known(remains).length > 0 || remains.modules.some(isAlive);
  }

  #onCollection(remains: Remains): void {
    if (this.#isThere(remains)) {
      remains.collectionCount += 1;
      return;
    }
    this.#remains.delete(remains);
    if (this.#remains.size === 0) this.#collections.disconnect();
  }

  #reasons(remains: Remains): string[] {
    const known = this.#known(remains);
    if (known.length > 0 || remains.collectionCount < COLLECTIONS_MIN) return known;
    const alive = remains.modules.filter(isAlive);
    if (alive.length === 0) return [];
    const unknown = `code of ${listNames(toOutermost(alive))}, captured by code that lives on`;
    return [...describe(this.#pinsOf(remains.scope).opened), unknown];
  }

  /** What it has open for certain. A socket that shared code has opened says nothing of this generation. */
  #known({ scope, modules, lifetimes }: Remains): string[] {
    const { accepted, opened } = this.#pinsOf(scope);
    const own = opened.filter(({ line }) => modules.some(({ filename }) => filename === line?.file));
    const timers = lifetimes.flatMap((lifetime) => lifetime.deref()?.open() ?? []);
    return [...describe([...accepted, ...own]), ...timers.map(({ kind, line }) => `${kind} at ${line}`)];
  }
}

/** Pins as `status` shows them. */
export function describe(pins: readonly Pin[]): string[] {
  return pins.map(({ text, line }) => (line === null ? text : `${text}, made at ${line.text}`));
}

function toRemaining({ manifest, filename, root, token, targets }: ModuleInstance): RemainingModule {
  const imports = [...targets.values()].flatMap((target) =>
    target.kind === 'module' ? target.node.manifest.path : [],
  );
  return { path: manifest.path, filename, root, token: new WeakRef(token), imports };
}

/** Of an entry of type `gc`. */
function isOfWholeHeap(entry: object): boolean {
  const { detail } = entry as { readonly detail?: { readonly kind: number } };
  return detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}

function isAlive({ token }: RemainingModule): boolean {
  return token.deref() !== undefined;
}

/** Whoever holds a module holds what that imports: those that none of the others imports, or all of a cycle. */
function toOutermost(modules: readonly RemainingModule[]): string[] {
  const imported = new Set(modules.flatMap(({ imports }) => imports));
  const outermost = modules.filter(({ path }) => !imported.has(path));
  return (outermost.length > 0 ? outermost : modules).map(({ path }) => path);
}

function listNames(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN_MAX).join(', ');
  return names.length > NAMES_SHOWN_MAX ? `${shown} and ${names.length - NAMES_SHOWN_MAX} more` : shown;
}
