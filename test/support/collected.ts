/** Proof that objects are collected: by FinalizationRegistry, and by asking for collections until it has fired. */

import { setImmediate as turn } from 'node:timers/promises';
import v8 from 'node:v8';
import { runInNewContext } from 'node:vm';

/** An object that is garbage goes in the first of these, or in the next where a collection was under way. */
const COLLECTIONS_MAX = 50;

v8.setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

export interface Tracked {
  /** Follows an object until it is collected. */
  readonly track: (object: object, name: number) => void;
  /** Collects until no more than these are left; gives the names of those that are, in order. */
  readonly collect: (isEnough: (left: readonly number[]) => boolean) => Promise<readonly number[]>;
}

/** Follows objects by name. */
export function createTracked(): Tracked {
  const left = new Set<number>();
  const registry = new FinalizationRegistry<number>((name) => left.delete(name));
  const names = (): number[] => [...left].toSorted((one, other) => one - other);
  return {
    track(object, name) {
      left.add(name);
      registry.register(object, name);
    },
    async collect(isEnough) {
      await collectUntil(() => isEnough(names()));
      return names();
    },
  };
}

/** Collects until something holds, or it is clear that it will not. */
export async function collectUntil(holds: () => boolean): Promise<void> {
  for (let round = 0; round < COLLECTIONS_MAX && !holds(); round++) {
    // What a WeakRef was asked for is held until the turn has ended.
    await turn();
    gc();
    await turn();
  }
}
