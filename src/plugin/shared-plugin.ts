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
 *   on probation | its thread has ended by itself          | as after too many failures
 *   proved     | its thread has ended by itself            | it, started again after a while
 */

import { EventEmitter } from 'node:events';
import { MidflightError, toError } from '../errors.ts';
import { Aim } from './aim.ts';
import { KnownVersions } from './known-versions.ts';
import { isInRange, requireRange } from './need.ts';
import { News } from './news.ts';
import type { PluginEvents } from './plugin-api.ts';
import { toLabel, type PluginRelease } from './plugin-release.ts';
import { RequiredPlugins } from './required.ts';
import { Restarts } from './restarts.ts';
import type { RunningVersion } from './running-version.ts';
import type { Held, Holder, Prepared, SharedOptions } from './shared-options.ts';
import type { Calls, Slot } from './slot.ts';
import { toSuspended } from './suspended.ts';
import { untilOver } from './until-over.ts';
import { Wanted } from './wanted.ts';

export class SharedPlugin implements Held {
  readonly events = new EventEmitter<PluginEvents>();
  readonly calls: Calls;
  readonly #options: SharedOptions;
  readonly #holders = new Set<Holder>();
  readonly #required: RequiredPlugins;
  readonly #known = new KnownVersions();
  #current: RunningVersion | null = null;
  #kept: RunningVersion | null = null;
  /** Why the current one can't be called: its thread has ended. */
  #stopped: Error | null = null;
  readonly #aim = new Aim(() => [...this.#holders].flatMap(({ slots }) => [...slots]));
  readonly #restarts: Restarts;
  #timer: NodeJS.Timeout | undefined;
  readonly #wanted: Wanted;
  #count = 0;
  #last: Promise<unknown> = Promise.resolve();
  readonly #news: News;
  #unwatch: (() => void) | null = null;
  #isClosed = false;

  constructor(options: SharedOptions) {
    this.#options = options;
    this.#wanted = new Wanted({
      source: options.source,
      known: this.#known,
      needs: () => [...this.#holders].map(({ need }) => need),
    });
    // As many as have it open.
    this.events.setMaxListeners(0);
    this.#required = new RequiredPlugins(options.openRequired);
    this.#restarts = new Restarts(options.breaker);
    this.#news = new News({
      isSettled: () => options.source.isSettled(),
      isClosed: () => this.#isClosed,
      letIn: async () => this.#letIn(),
      onRejected: (error) => {
        // Somebody has to hear of it.
        if (!this.events.emit('rejected', { version: this.#wanted.tried, error }))
          console.error(`Plugin ${this.name}: a version was not let in: ${error.message}`);
      },
    });
    this.calls = {
      failedCount: 0,
      timeoutMs: options.timeoutMs,
      isAsync: options.isAsync,
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
    if (this.#isClosed) return unwatch();
    this.#unwatch = unwatch;
    // What has come since it was read, nobody has told.
    this.#onNews();
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
    if (mayUpdate && this.#current !== null && !isInRange(this.#current.version, need)) await this.update();
    if (this.#current !== null) requireRange(this.name, this.#current.version, need);
  }

  /** Aims what was looked up at the version that is called, if there is one.
   *  Errors: ERR_MIDFLIGHT_PLUGIN_MISMATCH. */
  aim(slot: Slot): void {
    if (this.#current === null) return;
    slot.check(this.#current);
    this.#aim.add(slot);
  }

  isHeldByHost(seen: Set<Held>): boolean {
    seen.add(this);
    return [...this.#holders].some(({ by }) => by === null || (!seen.has(by) && by.isHeldByHost(seen)));
  }

  /** Resolves when it has ended, if that was the last host that had it open. Plugins that require each other keep nothing up. */
  async letGo(holder: Holder): Promise<void> {
    this.#holders.delete(holder);
    if (this.#isClosed) return;
    if (this.isHeldByHost(new Set())) return this.#letOthersMove(holder);
    this.#isClosed = true;
    this.#options.onClosed();
    this.#unwatch?.();
    clearTimeout(this.#timer);
    await this.#last;
    const left = [this.#current, this.#kept].filter((version) => version !== null);
    this.#current = this.#kept = null;
    for (const version of left) await this.#end(version);
  }

  /** What one has held back who is gone now. */
  #letOthersMove(holder: Holder): void {
    const isFree = this.#wanted.pin?.by === holder;
    if (isFree) this.#wanted.pin = null;
    if (this.#options.isWatched && (isFree || holder.need.range !== null)) this.#onNews();
  }

  async update(): Promise<void> {
    return this.#inTurn(async () => this.#letIn());
  }

  /** As long as `by` has it open. */
  async pin(version: string | null, by: Holder): Promise<void> {
    return this.#inTurn(async () => {
      const before = this.#wanted.pin;
      if (!this.#holders.has(by)) throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_CLOSED', [this.name]);
      this.#wanted.pin = version === null ? null : { version, by };
      try {
        await this.#letIn();
      } catch (error) {
        this.#wanted.pin = before;
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
      result.resolve(prepared && untilOver(prepared, over.resolve));
      if (prepared !== null) await over.promise;
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
    const release = await this.#wanted.load();
    if (release.digest === this.#current?.release.digest) return null;
    if (this.#known.isRefused(release)) {
      const problem = 'this version has failed when it was called, and is not let in again';
      throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_INVALID', [toLabel(release), problem]);
    }
    const running = await this.#start(release);
    return {
      running,
      ready: async () => {
        if (running.takeOver !== null) this.#aim.hold();
        await running.takeOver?.(this.#current);
      },
      commit: () => this.#commit(running),
      abort: async () => {
        this.#resume();
        await this.#end(running);
      },
    };
  }

  async #letIn(): Promise<void> {
    const prepared = await this.#prepare();
    try {
      await prepared?.ready();
      prepared?.commit();
    } catch (error) {
      await prepared?.abort();
      throw error;
    }
  }

  /** Makes a version that has all that anybody has looked up. */
  async #start(release: PluginRelease): Promise<RunningVersion> {
    const running = await this.#options.evaluate(release, ++this.#count);
    void running.stopped?.then((error) => this.#onStopped(running, error));
    try {
      this.#wanted.require(running.version);
      await running.setUp(await this.#required.open(running));
      this.#aim.check(running);
    } catch (error) {
      await this.#end(running);
      throw error;
    }
    return running;
  }

  /** What was held back goes on with the version that is called now. */
  #resume(): void {
    if (!this.#aim.isHeld) return;
    this.#current?.goBack();
    this.#aim.resume();
  }

  #commit(running: RunningVersion): () => void {
    const [before, kept, stopped] = [this.#current, this.#kept, this.#stopped];
    // More may have been looked up since.
    this.#aim.check(running);
    running.commit();
    before?.pause();
    this.#known.add(running);
    this.#point(running);
    if (before === null) {
      running.prove();
      return () => undefined;
    }
    if (stopped === null) this.#kept = kept ?? before;
    else running.prove();
    this.#startProbation();
    let isUndone = false;
    // When all that changes together has changed.
    queueMicrotask(() => {
      if (isUndone) return;
      if (kept !== null || stopped !== null) void this.#end(before);
      this.events.emit('swap', { version: running.version, previous: before.version });
    });
    return () => {
      isUndone = true;
      running.pause();
      before.goBack();
      this.#kept = kept;
      this.#point(before);
      if (kept !== null) this.#startProbation();
      if (stopped !== null) this.#onStopped(before, stopped);
      void this.#end(running);
    };
  }

  #point(running: RunningVersion, isFit = true): void {
    this.#current = running;
    this.#stopped = null;
    this.calls.failedCount = 0;
    clearTimeout(this.#timer);
    if (isFit) this.#aim.point(running);
    else this.#aim.pointWhereFit(running);
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
    const error = toError(thrown);
    if (this.#kept === null) this.#suspend(version, error);
    else this.#goBack(version, this.#kept, error);
  }

  #goBack(failed: RunningVersion, kept: RunningVersion, error: Error): void {
    this.#known.refuse(failed);
    failed.pause();
    kept.goBack();
    this.#kept = null;
    this.#point(kept, false);
    void this.#end(failed);
    this.events.emit('rolled-back', { version: kept.version, failed: failed.version, error });
  }

  #suspend(version: RunningVersion, error: Error): void {
    const { failures, restMs } = this.#options.breaker;
    this.#aim.stop(toSuspended(version, this.#options.breaker, error));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const current = this.#current;
      if (current === null) return;
      this.#point(current);
      // One call is enough to tell.
      this.calls.failedCount = failures - 1;
    }, restMs).unref();
  }

  /** The thread of a version has ended by itself. */
  #onStopped(version: RunningVersion, error: Error): void {
    if (version === this.#kept) {
      this.#kept = null;
      void this.#end(version);
    }
    if (version !== this.#current || this.#isClosed) return;
    this.#stopped = error;
    console.error(error.message);
    if (this.#kept === null) this.#startLater(version, error);
    else this.#goBack(version, this.#kept, error);
  }

  #startLater(version: RunningVersion, error: Error): void {
    const { delayMs, isRest } = this.#restarts.next(performance.now());
    clearTimeout(this.#timer);
    this.#aim.stop(isRest ? toSuspended(version, this.#options.breaker, error) : () => error);
    this.#timer = setTimeout(() => {
      this.#inTurn(async () => this.#startAgain(version)).catch(() => 'it has been closed');
    }, delayMs).unref();
  }

  async #startAgain(stopped: RunningVersion): Promise<void> {
    if (this.#current !== stopped) return;
    try {
      const running = await this.#start(stopped.release);
      await running.takeOver?.(null);
      running.commit();
      running.prove();
      this.#point(running);
      void this.#end(stopped);
    } catch (error) {
      if (this.#current === stopped) this.#startLater(stopped, error as Error);
    }
  }

  #onNews(): void {
    if (!this.#news.note()) return;
    this.#inTurn(async () => this.#news.take()).catch((error: unknown) => {
      if (!this.#isClosed) console.error(`Plugin ${this.name} can't be watched:`, error);
    });
  }

  async #end(running: RunningVersion): Promise<void> {
    await running.end(this.#options.drainTimeoutMs);
    await this.#required.close(running);
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
