/** The lives of one generation's modules: its own, and those that it shares with the generation before. */

import { ChunkedMap } from './chunked-map.ts';
import type { ModuleLife } from './module-life.ts';

export class ModuleLives implements Iterable<ModuleLife> {
  readonly #shared: ChunkedMap<ModuleLife>;
  readonly #own = new Map<string, ModuleLife>();

  constructor(shared: ChunkedMap<ModuleLife> = ChunkedMap.of()) {
    this.#shared = shared;
  }

  get(path: string): ModuleLife | undefined {
    return this.#own.get(path) ?? this.#shared.get(path);
  }

  has(life: ModuleLife): boolean {
    return this.get(life.origin.path) === life;
  }

  add(life: ModuleLife): void {
    this.#own.set(life.origin.path, life);
  }

  /** Those of them that the next generation shares: all but what differs there. */
  without(paths: Iterable<string>): ChunkedMap<ModuleLife> {
    return this.#all().with([...paths].map((path) => [path, undefined] as const));
  }

  /** Those that another generation does not have. */
  notIn(other: ModuleLives): ModuleLife[] {
    const paths = this.#all().changedSince(other.#all());
    return paths.flatMap((path) => this.get(path) ?? []);
  }

  [Symbol.iterator](): Iterator<ModuleLife> {
    return this.#all().values();
  }

  #all(): ChunkedMap<ModuleLife> {
    return this.#shared.with(this.#own);
  }
}
