/**
 * What the versions of a module that replace each other in place have in common: the exports that keep their identity, and
 * which version is current.
 *
 *   state                | event    | next
 *   staged               | commit   | current
 *   current, none staged | stage    | current, another staged
 *   current, staged      | commit   | the staged one is current
 *   current, staged      | unstage  | current, none staged
 *   current              | rollback | the one before is current
 */

import { createLiveClass, createLiveFunction, type LiveExport } from './live-export.ts';
import type { Callable, Constructor, Gate } from './live-target.ts';
import type { ModuleInstance } from './module-instance.ts';
import { createPrivateNames, type PrivateNames } from './private-names.ts';

export interface ModuleSlot {
  readonly current: ModuleInstance | null;
  /** True where the app has frozen what would have to change with the next version. */
  readonly isStuck: boolean;
  /** The version that the running code is to see: the one being prepared for its own code, the current one for all other. */
  readonly seen: () => ModuleInstance | null;
  /** A version is about to be linked; only its own code sees it. */
  readonly stage: (instance: ModuleInstance) => void;
  /** The staged version will not come. */
  readonly unstage: (instance: ModuleInstance) => void;
  /** Makes a version the current one: the next, or by rollback one before. */
  readonly switchTo: (instance: ModuleInstance) => void;
  /** Runs the code of a version. What that puts on its functions and classes is its own. */
  readonly execute: <Result>(instance: ModuleInstance, run: () => Result) => Result;
  /** The stable function or class of `key`, with what a version has for it. Without a value only the class that it will be. */
  readonly live: (instance: ModuleInstance, key: string, value?: object) => object;
  /** What a version has behind a function that stands for all; null for anything else. */
  readonly functionNow: (instance: ModuleInstance, stable: object) => object | null;
  /** The private names of the live classes. */
  readonly privates: PrivateNames;
}

/** Makes the slot of a module; `isRunning` says whether the running code belongs to a version's generation. */
export function createModuleSlot(isRunning: (instance: ModuleInstance) => boolean): ModuleSlot {
  return new Slot(isRunning);
}

class Slot implements ModuleSlot {
  current: ModuleInstance | null = null;
  isStuck = false;
  readonly privates = createPrivateNames((key) => this.#exports.get(key)?.stable ?? null);
  readonly #isRunning: (instance: ModuleInstance) => boolean;
  readonly #exports = new Map<string, LiveExport>();
  readonly #targets = new WeakMap<ModuleInstance, Map<string, object>>();
  /** Classes whose static initializers have not run yet. */
  readonly #declared = new Set<string>();
  readonly #gate: Gate = { isOpen: false };
  #staged: ModuleInstance | null = null;
  /** The version whose code is being evaluated; nothing else runs meanwhile. */
  #running: ModuleInstance | null = null;

  constructor(isRunning: (instance: ModuleInstance) => boolean) {
    this.#isRunning = isRunning;
  }

  readonly seen = (): ModuleInstance | null => this.#seenStaged() ?? this.current;

  stage(instance: ModuleInstance): void {
    this.#staged = instance;
    this.#setGate();
  }

  unstage(instance: ModuleInstance): void {
    if (this.#staged !== instance) return;
    this.#staged = null;
    this.#setGate();
    if (this.current !== null) this.#aim(this.current);
  }

  switchTo(instance: ModuleInstance): void {
    this.#staged = null;
    this.#setGate();
    this.current = instance;
    this.#aim(instance);
  }

  live(instance: ModuleInstance, key: string, value?: object): object {
    const known = this.#exports.get(key);
    const live = known ?? this.#create(instance, key, value);
    if (known === undefined) this.#exports.set(key, live);
    if (value === undefined) {
      live.declare();
      this.#declared.add(key);
      return live.stable;
    }
    this.#targetsOf(instance).set(key, value);
    const isRunning = this.#running === instance;
    live.announce(value);
    const isWhole = !this.#declared.delete(key);
    if (isWhole && !isRunning && this.current === instance) live.aim(value);
    return live.stable;
  }

  functionNow(instance: ModuleInstance, stable: object): object | null {
    for (const { name, kind } of instance.manifest.hot?.live ?? [])
      if (kind === 'function' && this.#exports.get(name)?.stable === stable)
        return this.#targets.get(instance)?.get(name) ?? null;
    return null;
  }

  execute<Result>(instance: ModuleInstance, run: () => Result): Result {
    for (const live of this.#exports.values()) live.mark();
    if (instance.manifest.hasTopLevelAwait) {
      const result = run();
      void Promise.resolve(result).then(() => this.#absorb(instance), ignore);
      return result;
    }
    const before = this.#running;
    this.#running = instance;
    this.#setGate();
    try {
      return run();
    } finally {
      this.#running = before;
      this.#setGate();
      this.#absorb(instance);
    }
  }

  #setGate(): void {
    this.#gate.isOpen = this.#staged !== null || this.#running !== null;
  }

  #absorb(instance: ModuleInstance): void {
    for (const [key, target] of this.#targetsOf(instance))
      if (this.#exports.get(key)?.absorb(target) === false) this.isStuck = true;
    // Imported late, after its generation became the current one.
    if (this.current === instance) this.#aim(instance);
  }

  #create({ manifest }: ModuleInstance, key: string, value: object | undefined): LiveExport {
    const staged = (): object | null => {
      const instance = this.#running ?? this.#seenStaged();
      return instance === null ? null : (this.#targets.get(instance)?.get(key) ?? null);
    };
    const isClass = manifest.hot?.live.find(({ name }) => name === key)?.kind === 'class';
    const gate = this.#gate;
    if (isClass) return createLiveClass({ gate, staged: staged as () => Constructor | null });
    return createLiveFunction(value as Callable, { gate, staged: staged as () => Callable | null });
  }

  /** The staged version, for its own code; before the first commit there is no other. */
  #seenStaged(): ModuleInstance | null {
    const staged = this.#staged;
    return staged !== null && (this.current === null || this.#isRunning(staged)) ? staged : null;
  }

  #aim(instance: ModuleInstance): void {
    for (const [key, target] of this.#targetsOf(instance)) this.#exports.get(key)?.aim(target);
  }

  #targetsOf(instance: ModuleInstance): Map<string, object> {
    const known = this.#targets.get(instance);
    if (known !== undefined) return known;
    const targets = new Map<string, object>();
    this.#targets.set(instance, targets);
    return targets;
  }
}

/** Whoever runs the code hears of its failure. */
function ignore(): void {}
