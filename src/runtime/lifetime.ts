/**
 * The timers and `process` listeners of one generation's modules, or of one module that generations share.
 *
 * 1. What a module's evaluation started acts only while the owner is current: intervals skip, listeners are taken off.
 * 2. What a connection's work started (origin.ts) acts until it is over; one-shot timers always do.
 * 3. After `dispose` nothing that was started acts, and nothing new starts.
 *
 * What is called                         | while current | preparing, previous | after dispose
 * an evaluation's interval               | runs          | skips its ticks     | cleared
 * an evaluation's process listener       | on `process`  | off `process`       | gone
 * a one-shot timer, a request's interval | runs          | runs                | cleared
 */

import timersPromises from 'node:timers/promises';
import util from 'node:util';

import type { GenerationStatus } from './generation-scope.ts';
import { createProcessListeners, type ProcessFacade } from './process-listeners.ts';
import { currentOrigin } from './origin.ts';
import { captureCaller, type Caller } from './caller.ts';

/** A generation's scope, or anything else with a life like it. */
export interface LifetimeOwner {
  readonly status: GenerationStatus;
}

export const openKinds = ['timeout', 'interval', 'immediate', 'process listener'] as const;
export type OpenKind = (typeof openKinds)[number];

/** Something that is open, and where it was made: `file:line:column`. */
export interface OpenItem {
  readonly kind: OpenKind;
  readonly line: string;
}

export interface Timers {
  readonly setTimeout: typeof setTimeout;
  readonly setInterval: typeof setInterval;
  readonly setImmediate: typeof setImmediate;
  readonly clearTimeout: typeof clearTimeout;
  readonly clearInterval: typeof clearInterval;
  readonly clearImmediate: typeof clearImmediate;
}

export interface Lifetime {
  readonly timers: Timers;
  readonly process: ProcessFacade;
  /** One-shot timers that have not fired: work that holds retirement. */
  readonly pendingTimeouts: number;
  /** Call it after the owner's status has changed: puts process listeners on or off. */
  statusChanged(): void;
  /** What is open now. */
  open(): readonly OpenItem[];
  /** Ends everything. `keepWork` leaves what connections started, for a generation whose upgraded sockets live on. */
  dispose(options?: { keepWork?: boolean }): void;
}

type Handle = NodeJS.Timeout | NodeJS.Immediate;
type Callback = (this: unknown, ...values: unknown[]) => void;

interface OpenTimer {
  readonly kind: OpenKind;
  readonly isWork: boolean;
  readonly caller: Caller;
}

type LifetimeState = 'open' | 'work' | 'disposed';

/** Fired and natively cleared timers are swept out when the list has doubled, from this size on. */
const SWEEP_SIZE_MIN = 256;

/** Makes the timers and listeners that the modules of one owner use. */
export function createLifetime(owner: LifetimeOwner): Lifetime {
  const timers = new OwnedTimers(owner);
  const listeners = createProcessListeners(owner);
  return {
    timers: timers.facade,
    process: listeners.facade,
    get pendingTimeouts() {
      return timers.pendingTimeouts;
    },
    statusChanged: () => listeners.statusChanged(),
    open: () => [...timers.open(), ...listeners.open()],
    dispose({ keepWork = false } = {}) {
      timers.dispose(keepWork);
      listeners.dispose(keepWork);
    },
  };
}

class OwnedTimers {
  readonly #owner: LifetimeOwner;
  readonly #open = new Map<Handle, OpenTimer>();
  #state: LifetimeState = 'open';
  #sweepSize = SWEEP_SIZE_MIN;

  constructor(owner: LifetimeOwner) {
    this.#owner = owner;
  }

  readonly facade: Timers = {
    setTimeout: this.#createSetTimeout(),
    setInterval: this.#createSetInterval(),
    setImmediate: this.#createSetImmediate(),
    clearTimeout: ((timer: NodeJS.Timeout) => this.#clear(timer, clearTimeout)) as typeof clearTimeout,
    clearInterval: ((timer: NodeJS.Timeout) => this.#clear(timer, clearInterval)) as typeof clearInterval,
    clearImmediate: ((timer: NodeJS.Immediate) =>
      this.#clear(timer, clearImmediate)) as typeof clearImmediate,
  };

  get pendingTimeouts(): number {
    this.#sweep();
    let count = 0;
    for (const { kind } of this.#open.values()) if (kind !== 'interval') count++;
    return count;
  }

  open(): OpenItem[] {
    this.#sweep();
    return [...this.#open.values()].map(({ kind, caller }) => ({ kind, line: caller.line() }));
  }

  dispose(keepWork: boolean): void {
    this.#state = keepWork ? 'work' : 'disposed';
    for (const [timer, { isWork }] of this.#open) {
      if (isWork && keepWork) continue;
      this.#open.delete(timer);
      clear(timer);
    }
  }

  // oxlint-disable typescript/no-implied-eval -- Node takes no code as text; what is not a function is its TypeError.
  #createSetTimeout(): typeof setTimeout {
    const start = (callback: Callback, delay?: number, ...values: unknown[]): NodeJS.Timeout => {
      // Node rejects what is not a function.
      if (typeof callback !== 'function') return setTimeout(callback, delay);
      const timer: NodeJS.Timeout = setTimeout(
        this.#once(callback, () => timer),
        delay,
        ...values,
      );
      return this.#add(timer, 'timeout', start);
    };
    const sleep = (delay?: number, value?: unknown, options?: SleepOptions) =>
      this.#sleep((done) => start(done, delay), value, options);
    return withPromise(start, sleep) as unknown as typeof setTimeout;
  }

  #createSetImmediate(): typeof setImmediate {
    const start = (callback: Callback, ...values: unknown[]): NodeJS.Immediate => {
      if (typeof callback !== 'function') return setImmediate(callback);
      const timer: NodeJS.Immediate = setImmediate(
        this.#once(callback, () => timer),
        ...values,
      );
      return this.#add(timer, 'immediate', start);
    };
    const pause = (value?: unknown, options?: SleepOptions) =>
      this.#sleep((done) => start(done), value, options);
    return withPromise(start, pause) as unknown as typeof setImmediate;
  }

  #createSetInterval(): typeof setInterval {
    const start = (callback: Callback, delay?: number, ...values: unknown[]): NodeJS.Timeout => {
      if (typeof callback !== 'function') return setInterval(callback, delay);
      const acts = currentOrigin()?.kind === 'work' ? callback : actWhileCurrent(this.#owner, callback);
      return this.#add(setInterval(acts, delay, ...values), 'interval', start);
    };
    return start as unknown as typeof setInterval;
  }

  // oxlint-enable typescript/no-implied-eval

  /** The callback of a timer that fires once, and is then no longer open. */
  #once(callback: Callback, timer: () => Handle): Callback {
    const open = this.#open;
    return function (...values) {
      open.delete(timer());
      return Reflect.apply<unknown, unknown[], void>(callback, this, values);
    };
  }

  #add<Timer extends Handle>(timer: Timer, kind: OpenKind, api: (...values: never[]) => unknown): Timer {
    const isWork = currentOrigin()?.kind === 'work';
    if (this.#state === 'disposed' || (this.#state === 'work' && !isWork)) {
      clear(timer);
      return timer;
    }
    if (this.#open.size >= this.#sweepSize) this.#sweep();
    this.#open.set(timer, { kind, isWork, caller: captureCaller(api) });
    return timer;
  }

  #clear<Timer extends Handle>(
    timer: Timer | string | number | undefined,
    native: (timer?: Timer) => void,
  ): void {
    native(timer as Timer);
    if (typeof timer === 'object') this.#open.delete(timer);
    else this.#sweep();
  }

  /** Drops timers that Node knows to be over: cleared by code that isn't ours, or by `timer.close()`. */
  #sweep(): void {
    for (const timer of this.#open.keys()) {
      if ((timer as Handle & { _destroyed?: boolean })._destroyed) this.#open.delete(timer);
    }
    this.#sweepSize = Math.max(SWEEP_SIZE_MIN, this.#open.size * 2);
  }

  /** The promise form, with the signal and ref options of node:timers/promises. */
  #sleep(start: (done: () => void) => Handle, value: unknown, options: SleepOptions = {}): Promise<unknown> {
    const { signal, ref } = options;
    // Node's own rejects bad options, and has the exact AbortError.
    if (signal?.aborted || (signal !== undefined && typeof signal.addEventListener !== 'function')) {
      return timersPromises.setTimeout(0, value, options);
    }
    return new Promise((resolve, reject) => {
      const timer = start(() => {
        signal?.removeEventListener('abort', cancel);
        resolve(value);
      });
      const cancel = (): void => {
        this.#open.delete(timer);
        clear(timer);
        timersPromises.setTimeout(0, value, options).catch(reject);
      };
      if (ref === false) timer.unref();
      signal?.addEventListener('abort', cancel, { once: true });
    });
  }
}

interface SleepOptions {
  readonly signal?: AbortSignal;
  readonly ref?: boolean;
}

function actWhileCurrent(owner: LifetimeOwner, callback: Callback): Callback {
  return function (...values) {
    if (owner.status === 'current' && !areIntervalsSilent) Reflect.apply(callback, this, values);
  };
}

function withPromise<Start extends object>(
  start: Start,
  promise: (...values: never[]) => Promise<unknown>,
): Start {
  return Object.defineProperty(start, util.promisify.custom, { value: promise, enumerable: true });
}

function clear(timer: Handle): void {
  if ('refresh' in timer) clearTimeout(timer);
  else clearImmediate(timer);
}

let areIntervalsSilent = false;

/** While another process serves in the place of this one, its intervals act there: none of them acts twice. */
export function silenceIntervals(areSilent: boolean): void {
  areIntervalsSilent = areSilent;
}
