/** The lives of one generation's modules: its own, and those that it shares with the generation before. */

import { LayeredMap } from '../protocol/layered-map.ts';
import type { ModuleLife } from './module-life.ts';

export class ModuleLives implements Iterable<ModuleLife> {
  readonly #shared: LayeredMap<ModuleLife>;
  readonly #own = new Map<string, ModuleLife>();

  constructor(shared: LayeredMap<ModuleLife> = LayeredMap.of()) {
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
  without(paths: Iterable<string>): LayeredMap<ModuleLife> {
    return this.#all().with(new Map([...paths].map((path) => [path, undefined])));
  }

  /** Those that another generation does not have. */
  notIn(other: ModuleLives): ModuleLife[] {
    const paths = this.#all().changedSince(other.#all());
    return paths.flatMap((path) => this.get(path) ?? []);
  }

  [Symbol.iterator](): Iterator<ModuleLife> {
    return this.#all().values();
  }

  #all(): LayeredMap<ModuleLife> {
    return this.#shared.with(this.#own);
  }
}
