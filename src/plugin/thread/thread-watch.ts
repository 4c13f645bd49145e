/** Looks after the memory and the processor time of a thread from outside, also while its code lets nothing else run. */

import type { Worker } from 'node:worker_threads';
import { CpuWindow } from './cpu-window.ts';
import type { Limits } from './isolation.ts';

/** While it works; a bomb has filled some tens of MiB between two looks. */
const LOOK_INTERVAL_MS = 25;
const IDLE_LOOK_INTERVAL_MS = 100;
/** Code that lets no collection begin for so many looks, about a second, holds what there is. A clock would count what the machine
 *  stands still. */
const COLLECT_LOOKS_MAX = 40;
const MIB = 2 ** 20;

export interface WatchOptions {
  readonly worker: Worker;
  readonly limits: Limits;
  readonly isBusy: () => boolean;
  /** Has the thread collect its garbage. */
  readonly collect: () => Promise<void>;
  /** It has used too much, in words. Once. */
  readonly onExcess: (why: string) => void;
}

/** Watches until the returned function is called. Keeps no process up. */
export function watchThread(options: WatchOptions): () => void {
  const watch = new Watch(options);
  watch.plan();
  return () => watch.end();
}

class Watch {
  readonly #options: WatchOptions;
  readonly #cpu: CpuWindow | null;
  #timer: NodeJS.Timeout | undefined;
  #hasEnded = false;
  /** For how many looks it has been over its limit, and whether that is after a collection. */
  #over: { lookCount: number; isCollected: boolean } | null = null;

  constructor(options: WatchOptions) {
    this.#options = options;
    const { cpuShare } = options.limits;
    this.#cpu = cpuShare === null ? null : new CpuWindow(cpuShare);
  }

  plan(): void {
    if (this.#hasEnded) return;
    const interval = this.#options.isBusy() || this.#over !== null ? LOOK_INTERVAL_MS : IDLE_LOOK_INTERVAL_MS;
    this.#timer = setTimeout(() => void this.#look(), interval).unref();
  }

  end(): void {
    this.#hasEnded = true;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const { worker, onExcess } = this.#options;
    try {
      const { used_heap_size: heap, external_memory: external } = await worker.getHeapStatistics();
      const why = this.#judgeMemory((heap + external) / MIB) ?? (await this.#judgeCpu());
      if (why !== null && !this.#hasEnded) {
        this.end();
        onExcess(why);
      }
    } catch {
      // It does not run yet, or has ended, which its exit tells.
    }
    this.plan();
  }

  #judgeMemory(usedMib: number): string | null {
    const { memoryMib } = this.#options.limits;
    if (usedMib <= memoryMib) {
      this.#over = null;
      return null;
    }
    const why = `it holds ${Math.round(usedMib)} MiB, and limits.memoryMib is ${memoryMib}`;
    if (usedMib > 2 * memoryMib || this.#over?.isCollected === true) return why;
    this.#over ??= this.#collect();
    return this.#over.lookCount++ > COLLECT_LOOKS_MAX ? why : null;
  }

  #collect(): { lookCount: number; isCollected: boolean } {
    const over = { lookCount: 0, isCollected: false };
    this.#options.collect().then(
      () => (over.isCollected = true),
      // The thread has ended.
      () => undefined,
    );
    return over;
  }

  async #judgeCpu(): Promise<string | null> {
    const { worker } = this.#options;
    if (this.#cpu === null) return null;
    const { user, system } = await worker.cpuUsage();
    return this.#cpu.add({ atMs: performance.now(), cpuMs: (user + system) / 1_000 });
  }
}
