/**
 * Takes in what has changed, one swap after the other. Owns which files may differ from what runs, and what was said of
 * them last.
 *
 * Invariants:
 * 1. A file that somebody has noticed stays `dirty` until the runtime has looked at it, and is looked at again after each
 *    swap: an edit during a swap is not lost.
 * 2. What fails is told once it has stayed so for a moment: a file may be half written, or the first of several.
 * 3. One thing at a time is done with the runtime.
 * 4. A swap that waits for what its code may never do is dropped when that code has changed: it may have been half written.
 */

import { statSync } from 'node:fs';
import path from 'node:path';
import type { PreparedSwap, Runtime } from '../deploy/create-runtime.ts';
import { MidflightError } from '../errors.ts';
import type { DevEvent, DevProblem } from '../protocol/dev-messages.ts';
import { toErrorReport } from '../protocol/messages.ts';
import type { GitLock } from './git-lock.ts';
import { createRestlessFiles } from './restless-files.ts';
import { toStamps, type FileStamps } from './seen-files.ts';

/** An editor that writes in several steps has done so by then. */
const SETTLE_MS = 60;
/** A file that was emptied is not meant to be so, most of the time; who writes it may have to wait for a processor. */
const EMPTY_MS = 1_000;
/** A swap that has not ended by then may never end, as one that waits for a server does. */
const STUCK_MS = 3_000;
/** Files that change faster than a swap is prepared hold it up this many times. */
const RETRIES_MAX = 5;

export interface SwapLoopOptions {
  readonly root: string;
  readonly runtime: Pick<Runtime, 'prepare' | 'rollback' | 'chainTo' | 'files' | 'isUnchanged'>;
  readonly gitLock: GitLock;
  emit(event: DevEvent): void;
  /** The app consists of other files than before. */
  onModules(): void;
  /** These files are about to be looked at. */
  onSeen(stamps: FileStamps): void;
}

export interface SwapLoop {
  /** These files, relative to the root, may differ. */
  notice(paths: readonly string[]): void;
  /** Back to the code before the last swap.
   *  Errors: ERR_MIDFLIGHT_INVALID_STATE where there is none. */
  undo(): Promise<void>;
  /** Takes nothing more in. */
  stop(): void;
}

/** Makes the loop of a runtime that is loaded. */
export function createSwapLoop(options: SwapLoopOptions): SwapLoop {
  return new Loop(options);
}

interface Emptied {
  readonly mtimeMs: number;
  readonly seenAt: number;
}

class Loop implements SwapLoop {
  readonly #options: SwapLoopOptions;
  readonly #dirty = new Set<string>();
  /** Since when something may differ. */
  #noticedAt = 0;
  #turn: Promise<unknown> | null = null;
  /** Drops the swap that is being prepared, where it may be. */
  #preparing: AbortController | null = null;
  /** When the turn has begun what it does; null while that may take its time. */
  #stepStartedAt: number | null = null;
  #status: 'watching' | 'stopped' = 'watching';
  #settling: NodeJS.Timeout | undefined;
  #watching: NodeJS.Timeout | undefined;
  #said = '';
  readonly #emptied = new Map<string, Emptied>();
  readonly #restless = createRestlessFiles();

  constructor(options: SwapLoopOptions) {
    this.#options = options;
  }

  notice(paths: readonly string[]): void {
    if (this.#status === 'stopped') return;
    this.#mark(paths);
    if (this.#dirty.size === 0) return;
    if (this.#turn === null)
      void this.#inTurn(() => this.#work()).catch((error: unknown) => this.#failWith(error));
    else {
      if ([...this.#dirty].some((at) => this.#hasMoved(at))) this.#preparing?.abort();
      this.#watchStep();
    }
  }

  /** What a swap under way does can't all be taken back from outside of it; another process can do without it. */
  #watchStep(): void {
    if (this.#stepStartedAt === null) return;
    const elapsedMs = performance.now() - this.#stepStartedAt;
    clearTimeout(this.#watching);
    if (elapsedMs > STUCK_MS) {
      // What the step under way has read is not saved after it.
      if ([...this.#dirty].every((at) => this.#options.runtime.isUnchanged(at) === true)) return;
      const reason = `the swap before has not ended after ${Math.round(elapsedMs / 1_000)} s`;
      this.#options.emit({ type: 'unswappable', reasons: [reason] });
    } else this.#watching = setTimeout(() => this.notice([]), STUCK_MS - elapsedMs + 1);
  }

  async undo(): Promise<void> {
    while (this.#turn !== null) await this.#turn;
    await this.#inTurn(() => this.#options.runtime.rollback());
  }

  stop(): void {
    this.#status = 'stopped';
    clearTimeout(this.#settling);
    clearTimeout(this.#watching);
  }

  #mark(paths: readonly string[]): void {
    if (this.#dirty.size === 0) this.#noticedAt = performance.now();
    for (const at of paths) if (!this.#restless.has(at)) this.#dirty.add(at);
  }

  async #inTurn(act: () => Promise<void>): Promise<void> {
    this.#stepStartedAt = performance.now();
    const turn = act();
    this.#turn = turn.catch(() => undefined);
    try {
      await turn;
    } finally {
      this.#turn = null;
      clearTimeout(this.#watching);
      if (this.#dirty.size > 0) this.notice([]);
    }
  }

  async #work(): Promise<void> {
    const { gitLock } = this.#options;
    for (let retries = 0; this.#dirty.size > 0 && !this.#isStopped();) {
      this.#stepStartedAt = null;
      if (gitLock.isHeld()) await gitLock.released();
      const paths = [...this.#dirty].filter((at) => !this.#isBeingWritten(at));
      this.#dirty.clear();
      this.#options.onSeen(toStamps(this.#options.root, paths));
      // Files that were not needed so far may be what an import waits for.
      const differing = paths.filter((at) => this.#options.runtime.isUnchanged(at) !== true);
      if (differing.length === 0) continue;
      this.#stepStartedAt = performance.now();
      const isTaken = await this.#take(differing, retries < RETRIES_MAX);
      retries = isTaken ? 0 : retries + 1;
      this.#mark(isTaken ? differing.filter((at) => this.#hasMoved(at)) : differing);
    }
  }

  /** False where files have changed meanwhile, or are about to, and nothing was done. */
  async #take(paths: readonly string[], mayRetry: boolean): Promise<boolean> {
    const { runtime } = this.#options;
    const startedAt = this.#noticedAt;
    const preparing = new AbortController();
    if (mayRetry) this.#preparing = preparing;
    let prepared: PreparedSwap;
    try {
      prepared = await runtime.prepare(paths, preparing);
    } catch (error) {
      if (preparing.signal.aborted || this.#isAnyBeingWritten(paths)) return false;
      this.#failWith(error);
      return true;
    } finally {
      this.#preparing = null;
    }
    const hasMoved = mayRetry && paths.some((at) => this.#hasMoved(at));
    if (hasMoved || this.#isAnyBeingWritten(paths) || this.#isStopped()) {
      prepared.abort();
      return false;
    }
    await this.#apply(prepared, startedAt);
    return true;
  }

  async #apply(prepared: PreparedSwap, startedAt: number): Promise<void> {
    const { path: way, modules, reasons } = prepared.plan;
    if (way !== 'none' && way !== 'swap') {
      prepared.abort();
      const texts = reasons.filter((reason) => reason.path === way).map(({ message }) => message);
      this.#settle({ type: 'unswappable', reasons: texts });
      return;
    }
    try {
      await prepared.commit();
    } catch (error) {
      this.#failWith(error);
      return;
    }
    this.#succeed(way === 'none');
    if (way === 'none') return;
    if (modules.some(({ change }) => change === 'added' || change === 'removed')) this.#options.onModules();
    const changed = toChanged(modules);
    for (const at of this.#restless.noticeSwap(changed)) this.#options.emit({ type: 'restless', path: at });
    this.#options.emit({
      type: 'swapped',
      changed,
      evaluated: modules.filter(({ change }) => change !== 'removed').map((module) => module.path),
      durationMs: performance.now() - startedAt,
    });
  }

  #succeed(isAsBefore: boolean): void {
    clearTimeout(this.#settling);
    if (isAsBefore && this.#said !== '') this.#options.emit({ type: 'mended' });
    this.#said = '';
  }

  #failWith(error: unknown): void {
    if (this.#isStopped()) return;
    this.#settle({ type: 'failed', ...toProblem(error, this.#options.runtime) });
  }

  /** Says it unless something better comes, and once. */
  #settle(event: DevEvent): void {
    clearTimeout(this.#settling);
    const text = JSON.stringify(event);
    if (text === this.#said) return;
    const tell = (): void => {
      // What is being looked at will have its own word on it.
      if (this.#turn !== null) return this.#settle(event);
      // It was read while somebody wrote it.
      const moved = this.#options.runtime.files().filter((at) => this.#hasMoved(at));
      if (moved.length > 0) return this.notice(moved);
      this.#said = text;
      this.#options.emit(event);
    };
    // Timers come before news of files in a turn of the event loop, so a process that was busy looks at those first.
    this.#settling = setTimeout(() => void (this.#settling = setTimeout(tell, 1)), SETTLE_MS);
  }

  #isStopped(): boolean {
    return this.#status === 'stopped';
  }

  /** A file that was emptied is about to be written, most of the time: it is looked at again when it should be. */
  #isBeingWritten(at: string): boolean {
    const stats = statSync(path.join(this.#options.root, at), { throwIfNoEntry: false });
    if (stats?.size !== 0) {
      this.#emptied.delete(at);
      return false;
    }
    const { mtimeMs } = stats;
    const known = this.#emptied.get(at);
    // With another time it was written meanwhile, and emptied again.
    if (known?.mtimeMs === mtimeMs) return performance.now() - known.seenAt < EMPTY_MS;
    this.#emptied.set(at, { mtimeMs, seenAt: performance.now() });
    setTimeout(() => this.notice([at]), EMPTY_MS + 1);
    return true;
  }

  /** Also what has been emptied since it was looked at. */
  #isAnyBeingWritten(paths: readonly string[]): boolean {
    return paths.filter((at) => this.#isBeingWritten(at)).length > 0;
  }

  #hasMoved(at: string): boolean {
    return this.#options.runtime.isUnchanged(at) === false;
  }
}

/** The modules that differ, and the other files because of which modules are evaluated again. */
function toChanged(modules: PreparedSwap['plan']['modules']): string[] {
  const causes = modules.map(({ path: at, change, because }) => (change === 'reached' ? because.at(-1) : at));
  return [...new Set(causes.filter((at) => at !== undefined))];
}

/** What of an error the developer is shown. */
export function toProblem(error: unknown, runtime: Pick<Runtime, 'chainTo'> | null): DevProblem {
  const at = moduleAtFault(error);
  return { error: toErrorReport(error), importChain: at === null ? [] : (runtime?.chainTo(at) ?? []) };
}

/** The module that an error of ours is about, by what its message is made of. */
function moduleAtFault(error: unknown): string | null {
  if (!(error instanceof MidflightError)) return null;
  if (error.code === 'ERR_MIDFLIGHT_EVALUATION_FAILED') return error.details[1] ?? null;
  const namesModule = /_(?:SYNTAX|EXPORT_MISSING|EXPORT_AMBIGUOUS|MODULE_UNRESOLVED)$/.test(error.code);
  return namesModule ? (error.details[0] ?? null) : null;
}
