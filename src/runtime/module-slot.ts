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

import {
  createLiveClass,
  createLiveFunction,
  type Callable,
  type Constructor,
  type Gate,
  type LiveExport,
} from './live-export.ts';
import type { ModuleInstance } from './module-instance.ts';
import { createPrivateNames, type PrivateNames } from './private-names.ts';

export interface ModuleSlot {
  readonly current: ModuleInstance | null;
  /** The version that the running code is to see: the one being prepared for its own code, the current one for all other. */
  readonly seen: () => ModuleInstance | null;
  /** A version is about to be linked; only its own code sees it. */
  readonly stage: (instance: ModuleInstance) => void;
  /** The staged version will not come. */
  readonly unstage: (instance: ModuleInstance) => void;
  /** Makes a version the current one: the next, or by rollback one before. */
  readonly switchTo: (instance: ModuleInstance) => void;
  /** The stable function or class of `key`, with what a version has for it. Without a value only the class that it will be. */
  readonly live: (instance: ModuleInstance, key: string, value?: object) => object;
  /** The private names of the live classes. */
  readonly privates: PrivateNames;
}

/** Makes the slot of a module; `isRunning` says whether the running code belongs to a version's generation. */
export function createModuleSlot(isRunning: (instance: ModuleInstance) => boolean): ModuleSlot {
  return new Slot(isRunning);
}

class Slot implements ModuleSlot {
  current: ModuleInstance | null = null;
  readonly privates = createPrivateNames((key) => this.#exports.get(key)?.stable ?? null);
  readonly #isRunning: (instance: ModuleInstance) => boolean;
  readonly #exports = new Map<string, LiveExport>();
  readonly #targets = new WeakMap<ModuleInstance, Map<string, object>>();
  /** Classes whose static initializers have not run yet. */
  readonly #declared = new Set<string>();
  readonly #gate: Gate = { isOpen: false };
  #stagedVersion: ModuleInstance | null = null;

  constructor(isRunning: (instance: ModuleInstance) => boolean) {
    this.#isRunning = isRunning;
  }

  readonly seen = (): ModuleInstance | null => this.#seenStaged() ?? this.current;

  get #staged(): ModuleInstance | null {
    return this.#stagedVersion;
  }

  set #staged(instance: ModuleInstance | null) {
    this.#stagedVersion = instance;
    this.#gate.isOpen = instance !== null;
  }

  stage(instance: ModuleInstance): void {
    this.#staged = instance;
  }

  unstage(instance: ModuleInstance): void {
    if (this.#staged !== instance) return;
    this.#staged = null;
    if (this.current !== null) this.#aim(this.current);
  }

  switchTo(instance: ModuleInstance): void {
    this.#staged = null;
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
    live.announce(value);
    const isWhole = !this.#declared.delete(key);
    // Imported late, after its generation became the current one.
    if (isWhole && this.current === instance) live.aim(value);
    return live.stable;
  }

  #create({ manifest }: ModuleInstance, key: string, value: object | undefined): LiveExport {
    const staged = (): object | null => {
      const instance = this.#seenStaged();
      return instance === null ? null : (this.#targets.get(instance)?.get(key) ?? null);
    };
    const isClass = manifest.hot?.live.find(({ name }) => name === key)?.kind === 'class';
    if (isClass) return createLiveClass({ gate: this.#gate, staged: staged as () => Constructor | null });
    return createLiveFunction(value as Callable, {
      gate: this.#gate,
      staged: staged as () => Callable | null,
    });
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
