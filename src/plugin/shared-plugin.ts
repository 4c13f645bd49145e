/**
 * One plugin of this process, for all who have it open. Owns which of its versions is called.
 *
 * 1. A version is called only after it was set up, is well, and has all that anybody has looked up.
 * 2. What is called changes in one synchronous step, for all that was looked up.
 * 3. The version before stays whole, and is called again when the new one fails, until that has been called for `probationMs`.
 * 4. One change at a time; changes that come meanwhile become one.
 *
 *   current    | event                                     | next
 *   none       | a version is let in                       | it (proved)
 *   proved     | another is let in                         | that (on probation); the proved one is kept
 *   on probation | time has passed                         | it (proved); the one that was kept ends
 *   on probation | too many failures in a row              | the one that was kept; it ends, and is not let in again
 *   on probation | another is let in                       | that (on probation); it ends, the kept one stays
 *   proved     | too many failures in a row                | it, suspended for `restMs`; then one call tries again
 */

import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import semver from 'semver';
import { MidflightError } from '../errors.ts';
import type { Plugin, PluginEvents } from './plugin-api.ts';
import { toLabel, type PluginRelease } from './plugin-release.ts';
import type { Need, PluginSource } from './plugin-source.ts';
import type { RunningVersion } from './running-version.ts';
import type { Calls, Slot } from './slot.ts';

/** A version that somebody may pin again: its code is in memory. */
const KNOWN_COUNT_MAX = 20;

export interface SharedOptions {
  readonly source: PluginSource;
  /** Evaluates a version. */
  readonly evaluate: (release: PluginRelease, number: number) => Promise<RunningVersion>;
  /** Opens what a version requires; `by` is who needs it. */
  readonly openRequired: (name: string, need: Need) => Promise<Plugin>;
  readonly isWatched: boolean;
  readonly timeoutMs: number | null;
  readonly drainTimeoutMs: number;
  readonly probationMs: number;
  readonly breaker: { readonly failures: number; readonly restMs: number };
  /** Nobody has it open any more. */
  readonly onClosed: () => void;
}

/** One who has it open. */
export interface Holder {
  readonly need: Need;
  readonly slots: Set<Slot>;
}

export interface Prepared {
  readonly running: RunningVersion;
  /** Gives what takes it back, which has to be called at once or never.
   *  Errors: those of a state's migration; nothing has changed then. */
  commit(): () => void;
  /** Nothing where it was committed. */
  abort(): Promise<void>;
}

/** Half of a file that is being written is looked at again when nothing has changed for that long. */
const SETTLE_MS = 150;
const FAILED_COUNT_MAX = 100;

export class SharedPlugin {
  readonly events = new EventEmitter<PluginEvents>();
  readonly calls: Calls;
  readonly #options: SharedOptions;
  readonly #holders = new Set<Holder>();
  readonly #required = new Map<RunningVersion, readonly Plugin[]>();
  readonly #known: PluginRelease[] = [];
  /** Digests of versions that had to go. */
  readonly #failed = new Set<string>();
  #current: RunningVersion | null = null;
  #kept: RunningVersion | null = null;
  #suspension: { readonly error: () => Error } | null = null;
  #timer: NodeJS.Timeout | undefined;
  #pinned: string | null = null;
  #count = 0;
  #last: Promise<unknown> = Promise.resolve();
  #hasNews = false;
  #unwatch: (() => void) | null = null;
  #isClosed = false;

  constructor(options: SharedOptions) {
    this.#options = options;
    this.calls = {
      failedCount: 0,
      timeoutMs: options.timeoutMs,
      onFailure: (version, error) => this.#onFailure(version, error),
    };
  }

  get name(): string {
    return this.#options.source.name;
  }

  get version(): string | null {
    return this.#current?.version ?? null;
  }

  /** Lets the first version in. Errors: those of `prepare`. */
  async open(): Promise<void> {
    await this.update();
    if (!this.#options.isWatched) return;
    const unwatch = await this.#options.source.watch(() => this.#onNews());
    if (this.#isClosed) unwatch();
    else this.#unwatch = unwatch;
  }

  hold(holder: Holder): void {
    this.#holders.add(holder);
  }

  /** An error of a version that no call has thrown counts as a failed call. */
  noteFault(version: RunningVersion, error: Error): void {
    console.error(`Plugin ${version.label}: an error that nobody has caught:`, error);
    this.#onFailure(version, error);
  }

  /** Whether what is called is what one can work with who has it open since; where `mayUpdate`, another version that all can is
   *  looked for. Errors: ERR_MIDFLIGHT_PLUGIN_VERSION_UNSATISFIED; of an update, those of `prepare`. */
  async fit({ need }: Holder, mayUpdate: boolean): Promise<void> {
    const isFit = (): boolean => this.#current === null || isInRange(this.#current.version, need);
    if (!isFit() && mayUpdate) await this.update();
    if (this.#current !== null) requireRange(this.name, this.#current.version, need);
  }

  /** Aims what was looked up at the version that is called, if there is one.
   *  Errors: ERR_MIDFLIGHT_PLUGIN_MISMATCH. */
  aim(slot: Slot): void {
    if (this.#current === null) return;
    slot.check(this.#current);
    slot.point(this.#current);
    if (this.#suspension !== null) slot.stop(this.#suspension.error);
  }

  /** Resolves when it has ended, if that was the last who had it open. */
  async letGo(holder: Holder): Promise<void> {
    this.#holders.delete(holder);
    if (this.#holders.size > 0 || this.#isClosed) return;
    this.#isClosed = true;
    this.#options.onClosed();
    this.#unwatch?.();
    clearTimeout(this.#timer);
    await this.#last;
    const left = [this.#current, this.#kept].filter((version) => version !== null);
    this.#current = this.#kept = null;
    for (const version of left) await this.#end(version);
  }

  async update(): Promise<void> {
    return this.#inTurn(async () => void (await this.#prepare())?.commit());
  }

  async pin(version: string | null): Promise<void> {
    return this.#inTurn(async () => {
      const before = this.#pinned;
      this.#pinned = version;
      try {
        (await this.#prepare())?.commit();
      } catch (error) {
        this.#pinned = before;
        throw error;
      }
    });
  }

  /** Makes the version that is wanted ready beside the one that is called; null where that is the one. Nothing else changes
   *  until it is committed or aborted.
   *  Errors: those of the source; what its code threw; ERR_MIDFLIGHT_PLUGIN_…. */
  async prepare(): Promise<Prepared | null> {
    const result = Promise.withResolvers<Prepared | null>();
    const over = Promise.withResolvers<void>();
    void this.#inTurn(async () => {
      const prepared = await this.#prepare();
      if (prepared === null) return result.resolve(null);
      let isCommitted = false;
      result.resolve({
        running: prepared.running,
        commit: () => {
          const undo = prepared.commit();
          isCommitted = true;
          over.resolve();
          return undo;
        },
        abort: async () => {
          if (!isCommitted) await prepared.abort();
          over.resolve();
        },
      });
      await over.promise;
    }).catch(result.reject);
    return result.promise;
  }

  async #prepare(): Promise<Prepared | null> {
    const { size } = this.#holders;
    try {
      return await this.#prepareWanted();
    } catch (error) {
      const isUnsatisfied =
        error instanceof MidflightError && error.code === 'ERR_MIDFLIGHT_PLUGIN_VERSION_UNSATISFIED';
      // Who has opened it meanwhile may need another.
      if (!isUnsatisfied || this.#holders.size <= size) throw error;
      return this.#prepare();
    }
  }

  async #prepareWanted(): Promise<Prepared | null> {
    const release = await this.#load();
    if (release.digest === this.#current?.release.digest) return null;
    if (this.#failed.has(release.digest)) {
      const problem = 'this version has failed when it was called, and is not let in again';
      throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_INVALID', [toLabel(release), problem]);
    }
    const running = await this.#options.evaluate(release, ++this.#count);
    try {
      this.#requireVersion(running);
      await running.setUp(await this.#openRequired(running));
      this.#check(running);
    } catch (error) {
      await this.#end(running);
      throw error;
    }
    return { running, commit: () => this.#commit(running), abort: async () => this.#end(running) };
  }

  async #load(): Promise<PluginRelease> {
    const pinned = this.#pinned;
    const known = this.#known.find(({ version }) => pinned !== null && version === pinned);
    const needs = [...this.#holders].map(({ need }) => need);
    return known ?? this.#options.source.load({ pinned, needs });
  }

  #requireVersion({ version }: RunningVersion): void {
    const { name } = this;
    if (this.#pinned !== null && version !== this.#pinned) {
      const there = this.#known.flatMap((release) => release.version ?? []);
      const what = there.length === 0 ? 'is none yet' : `are ${there.join(', ')}`;
      throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_VERSION_UNKNOWN', [name, this.#pinned, what]);
    }
    for (const { need } of this.#holders) requireRange(name, version, need);
  }

  async #openRequired(running: RunningVersion): Promise<Record<string, Plugin>> {
    const opened: Record<string, Plugin> = {};
    for (const [name, range] of Object.entries(running.requires)) {
      opened[name] = await this.#options.openRequired(name, { by: `plugin ${running.label}`, range });
      this.#required.set(running, Object.values(opened));
    }
    return opened;
  }

  #check(running: RunningVersion): void {
    for (const { slots } of this.#holders) for (const slot of slots) slot.check(running);
  }

  #commit(running: RunningVersion): () => void {
    const [before, kept] = [this.#current, this.#kept];
    // More may have been looked up since.
    this.#check(running);
    running.commit();
    before?.pause();
    this.#note(running);
    this.#point(running);
    if (before === null) {
      running.prove();
      return () => undefined;
    }
    this.#kept = kept ?? before;
    this.#startProbation();
    let isUndone = false;
    // When all that changes together has changed.
    queueMicrotask(() => {
      if (isUndone) return;
      if (kept !== null) void this.#end(before);
      this.events.emit('swap', { version: running.version, previous: before.version });
    });
    return () => {
      isUndone = true;
      running.pause();
      before.goBack();
      this.#kept = kept;
      this.#point(before);
      if (kept !== null) this.#startProbation();
      void this.#end(running);
    };
  }

  #note({ release, version }: RunningVersion): void {
    const known = this.#known.findIndex((each) => each.version === version);
    if (known !== -1) this.#known.splice(known, 1);
    this.#known.push({ ...release, version });
    if (this.#known.length > KNOWN_COUNT_MAX) this.#known.shift();
  }

  #point(running: RunningVersion): void {
    this.#current = running;
    this.#suspension = null;
    this.calls.failedCount = 0;
    clearTimeout(this.#timer);
    for (const slot of this.#slots()) slot.point(running);
  }

  #startProbation(): void {
    this.#timer = setTimeout(() => {
      const kept = this.#kept;
      this.#kept = null;
      this.#current?.prove();
      if (kept !== null) void this.#end(kept);
    }, this.#options.probationMs).unref();
  }

  #onFailure(version: RunningVersion, thrown: unknown): void {
    if (version !== this.#current || this.#isClosed) return;
    const { failures } = this.#options.breaker;
    this.calls.failedCount += 1;
    if (this.calls.failedCount < failures) return;
    const error = thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
    if (this.#kept === null) this.#suspend(version, error);
    else this.#goBack(version, this.#kept, error);
  }

  #goBack(failed: RunningVersion, kept: RunningVersion, error: Error): void {
    this.#failed.add(failed.release.digest);
    const [oldest] = this.#failed;
    if (this.#failed.size > FAILED_COUNT_MAX && oldest !== undefined) this.#failed.delete(oldest);
    failed.pause();
    kept.goBack();
    this.#kept = null;
    this.#point(kept);
    for (const slot of this.#slots()) stopUnlessFit(slot, kept);
    void this.#end(failed);
    this.events.emit('rolled-back', { version: kept.version, failed: failed.version, error });
  }

  #suspend({ label }: RunningVersion, error: Error): void {
    const { failures, restMs } = this.#options.breaker;
    const details = [label, failures, restMs, error.message];
    this.#suspension = {
      error: () => new MidflightError('ERR_MIDFLIGHT_PLUGIN_SUSPENDED', details, { cause: error }),
    };
    for (const slot of this.#slots()) slot.stop(this.#suspension.error);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const current = this.#current;
      if (current === null) return;
      this.#point(current);
      // One call is enough to tell.
      this.calls.failedCount = failures - 1;
    }, restMs).unref();
  }

  #slots(): Slot[] {
    return [...this.#holders].flatMap(({ slots }) => [...slots]);
  }

  #onNews(): void {
    if (this.#hasNews || this.#isClosed) return;
    this.#hasNews = true;
    this.#inTurn(async () => this.#takeNews()).catch((error: unknown) => {
      console.error(`Plugin ${this.name} can't be watched:`, error);
    });
  }

  /** What fails while it is still being written has not failed. */
  async #takeNews(): Promise<void> {
    for (;;) {
      this.#hasNews = false;
      try {
        (await this.#prepare())?.commit();
        return;
      } catch (error) {
        await sleep(SETTLE_MS);
        if (this.#isClosed) return;
        if (!this.#hasNews && this.#options.source.isSettled()) {
          this.#reject(error);
          return;
        }
      }
    }
  }

  #reject(thrown: unknown): void {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
    // Somebody has to hear of it.
    if (!this.events.emit('rejected', { version: null, error }))
      console.error(`Plugin ${this.name}: a version was not let in: ${error.message}`);
  }

  async #end(running: RunningVersion): Promise<void> {
    await running.end(this.#options.drainTimeoutMs);
    const required = this.#required.get(running) ?? [];
    this.#required.delete(running);
    for (const plugin of required) await plugin.close();
  }

  async #inTurn<Result>(act: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(async () => {
      if (this.#isClosed) throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_CLOSED', [this.name]);
      return act();
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

function stopUnlessFit(slot: Slot, version: RunningVersion): void {
  try {
    slot.check(version);
  } catch (error) {
    slot.stop(() => error as Error);
  }
}

/** Errors: ERR_MIDFLIGHT_PLUGIN_VERSION_UNSATISFIED. */
function requireRange(name: string, version: string | null, need: Need): void {
  if (isInRange(version, need)) return;
  const { by, range } = need;
  const details = [name, version ?? 'without a version', range ?? '', by];
  throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_VERSION_UNSATISFIED', details);
}

function isInRange(version: string | null, { range }: Need): boolean {
  return range === null || (version !== null && semver.satisfies(version, range));
}
