/**
 * `process.on` and its kin for the modules of one owner. A listener of a module's evaluation is on `process` only
 * while its owner is current: only then it switches off a signal's default, or catches what nobody else caught.
 */

import { AsyncLocalStorage } from 'node:async_hooks';

import { captureCaller, type Caller } from './caller.ts';
import type { LifetimeOwner, OpenItem } from './lifetime.ts';
import { currentOrigin } from './origin.ts';

type Listener = (...values: unknown[]) => void;
type Add = (event: string | symbol, listener: Listener) => NodeJS.Process;

/** The `process` methods that compiled modules call here. */
export interface ProcessFacade {
  readonly on: Add;
  readonly once: Add;
  readonly addListener: Add;
  readonly prependListener: Add;
  readonly prependOnceListener: Add;
  readonly off: Add;
  readonly removeListener: Add;
}

export interface ProcessListeners {
  readonly facade: ProcessFacade;
  statusChanged(): void;
  open(): readonly OpenItem[];
  dispose(keepWork: boolean): void;
}

interface OwnedListener {
  readonly event: string | symbol;
  readonly listener: Listener;
  /** What is on `process`; its `listener` is the original, as Node has it for `once`. */
  readonly wrapper: Listener & { listener: Listener };
  readonly isPrepended: boolean;
  readonly isWork: boolean;
  readonly caller: Caller;
}

interface AddOptions {
  readonly isOnce: boolean;
  readonly isPrepended: boolean;
}

/** Makes the facade of one owner. Call `statusChanged` when the owner's status has changed. */
export function createProcessListeners(owner: LifetimeOwner): ProcessListeners {
  return new OwnedListeners(owner);
}

class OwnedListeners implements ProcessListeners {
  readonly #owner: LifetimeOwner;
  /** In the order in which they were added. */
  readonly #owned = new Set<OwnedListener>();
  readonly #attached = new Set<OwnedListener>();
  #state: 'open' | 'work' | 'disposed' = 'open';

  constructor(owner: LifetimeOwner) {
    this.#owner = owner;
  }

  readonly facade: ProcessFacade = {
    on: this.#createAdd({ isOnce: false, isPrepended: false }),
    addListener: this.#createAdd({ isOnce: false, isPrepended: false }),
    once: this.#createAdd({ isOnce: true, isPrepended: false }),
    prependListener: this.#createAdd({ isOnce: false, isPrepended: true }),
    prependOnceListener: this.#createAdd({ isOnce: true, isPrepended: true }),
    off: (event, listener) => this.#remove(event, listener),
    removeListener: (event, listener) => this.#remove(event, listener),
  };

  statusChanged(): void {
    for (const owned of this.#owned) {
      if (this.#acts(owned)) this.#attach(owned);
      else this.#detach(owned);
    }
  }

  open(): OpenItem[] {
    return [...this.#owned].map(({ caller }) => ({ kind: 'process listener', line: caller.line() }));
  }

  dispose(keepWork: boolean): void {
    this.#state = keepWork ? 'work' : 'disposed';
    for (const owned of this.#owned) if (!keepWork || !owned.isWork) this.#forget(owned);
  }

  #createAdd({ isOnce, isPrepended }: AddOptions): Add {
    const add: Add = (event, listener) => {
      // Node rejects what is not a function.
      if (typeof listener !== 'function') return process.on(event as 'exit', listener);
      const isWork = currentOrigin()?.kind === 'work';
      if (this.#state === 'disposed' || (this.#state === 'work' && !isWork)) return process;
      const run = AsyncLocalStorage.snapshot();
      const call: Listener = function (this: unknown, ...values) {
        if (isOnce) forget();
        return run(() => Reflect.apply<unknown, unknown[], void>(listener, this, values));
      };
      const wrapper = Object.assign(call, { listener });
      const owned: OwnedListener = {
        event,
        listener,
        wrapper,
        isPrepended,
        isWork,
        caller: captureCaller(add),
      };
      const forget = (): void => this.#forget(owned);
      this.#owned.add(owned);
      if (this.#acts(owned)) this.#attach(owned);
      return process;
    };
    return add;
  }

  #acts({ isWork }: OwnedListener): boolean {
    return isWork || this.#owner.status === 'current';
  }

  #attach(owned: OwnedListener): void {
    if (this.#attached.has(owned)) return;
    this.#attached.add(owned);
    const event = owned.event as 'exit';
    if (owned.isPrepended) process.prependListener(event, owned.wrapper);
    else process.on(event, owned.wrapper);
  }

  #detach(owned: OwnedListener): void {
    if (this.#attached.delete(owned)) process.removeListener(owned.event, owned.wrapper);
  }

  #forget(owned: OwnedListener): void {
    this.#owned.delete(owned);
    this.#detach(owned);
  }

  #remove(event: string | symbol, listener: Listener): NodeJS.Process {
    const owned = [...this.#owned].findLast((each) => each.event === event && each.listener === listener);
    if (owned === undefined) return process.removeListener(event, listener);
    this.#forget(owned);
    return process;
  }
}
