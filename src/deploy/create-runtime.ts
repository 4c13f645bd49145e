/**
 * The runtime without a supervisor, in a process of one's own: compiles a source tree, runs it as a generation, and swaps
 * what changes. What `midflight run` and `midflight dev` are made of, and `midflight/runtime` for others.
 *
 * Owns the index of the source tree and the generations of this process, of which there can be only one set.
 *
 *   state    | event              | next
 *   idle     | load, prepare      | busy
 *   busy     | it fails, is empty | idle
 *   busy     | it is prepared     | prepared
 *   prepared | commit, abort      | idle
 *   any      | close              | closed
 */

import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { readFileSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { toPlan, type Plan } from '../plan/plan.ts';
import type { Manifest, ManifestAssets, ManifestFile, ManifestModules } from '../protocol/manifest.ts';
import { toInlineMap } from '../protocol/source-map.ts';
import { createModuleIndex, type ModuleIndex, type ReadSource } from '../release/module-index.ts';
import { createGenerations, type Generations } from '../runtime/generations.ts';
import { silenceIntervals } from '../runtime/lifetime.ts';
import type { LoadedRelease } from '../runtime/loaded-release.ts';
import type { DrainReport } from '../runtime/servers/drain-servers.ts';
import { createLocalListenerSource, type ListenerSource } from '../runtime/servers/listener-source.ts';
import { toOwnManifest } from './own-manifest.ts';

/** How many versions back `rollback` can go. */
const HISTORY_LENGTH_MAX = 20;
const DEFAULT_READY_TIMEOUT_MS = 30_000;

export interface RuntimeOptions {
  /** Absolute path of the app's tree; it has to exist. */
  readonly root: string;
  /** The entry module, relative to `root` or absolute. */
  readonly entry: string;
  /** Gives the text of a file by its path relative to `root`, null where there is none. The disk when absent. */
  readonly readSource?: ReadSource;
  /** Keeps transformed files between processes. */
  readonly cacheDirectory?: string;
  /** Where listening sockets come from; this process when absent. */
  readonly listeners?: ListenerSource;
  /** `listen`: also the first version counts as loaded only when a server of it would listen. `load` when absent. */
  readonly ready?: 'listen' | 'load';
  /** How long a swap may wait for the servers of the new version; 30 s when absent. */
  readonly readyTimeoutMs?: number;
}

export interface GenerationInfo {
  readonly generation: number;
  readonly status: 'current' | 'retained';
  /** What keeps a generation that is not current, in words. */
  readonly pinnedBy: readonly string[];
}

export interface SwapTimings {
  /** Reading, transforming, resolving and checking what changed. */
  readonly compileMs: number;
  /** Loading, linking and evaluating it beside what runs. */
  readonly prepareMs: number;
}

export interface PreparedSwap {
  /** What is going to happen, and why. Only the paths `none` and `swap` can be committed in this process. */
  readonly plan: Plan;
  readonly timings: SwapTimings;
  /** Makes the new code current in one synchronous step.
   *  Shape:  it is only waited for where a module that was replaced in place called `import.meta.hot.invalidate`.
   *  Errors: ERR_MIDFLIGHT_INVALID_STATE where the plan's path is another process's, or it was committed or aborted before;
   *  ERR_MIDFLIGHT_STATE_MIGRATION_FAILED; what a callback of `import.meta.hot.accept` threw. Nothing has changed then. */
  readonly commit: () => Promise<void>;
  /** Drops the new code, as if it had never been evaluated. */
  readonly abort: () => void;
}

export interface RuntimeEvents {
  /** Other code is current now. */
  committed: [generation: number, plan: Plan];
  /** A module has called `import.meta.hot.send`. */
  message: [event: string, data: unknown];
}

export interface Runtime {
  readonly events: EventEmitter<RuntimeEvents>;
  readonly generations: readonly GenerationInfo[];
  /** How many retired generations are still there. What is only not collected yet does not count: where it could be more than
   *  `limit`, memory is collected first. */
  countRetained(limit: number): Promise<number>;
  /** Compiles and evaluates the entry; gives its namespace.
   *  Errors: ERR_MIDFLIGHT_SYNTAX, ERR_MIDFLIGHT_EXPORT_MISSING and the like; what the app threw. */
  load(): Promise<object>;
  /** The exports of the entry as the current version has them; null before it is loaded. */
  namespace(): object | null;
  /** Compiles what differs and evaluates it beside what runs. `changes` are the files that may differ, absolute or relative
   *  to the root; every known file is looked at without them. One swap can be prepared at a time. An abort by `signal` drops
   *  what waits, at a top-level await or for a server.
   *  Errors: as `load`, and the signal's reason; nothing has changed then. */
  prepare(changes?: readonly string[], options?: { readonly signal?: AbortSignal }): Promise<PreparedSwap>;
  /** Makes the version before the current one current again.
   *  Errors: ERR_MIDFLIGHT_INVALID_STATE where there is none. */
  rollback(): Promise<void>;
  /** Tells the modules that listen by `import.meta.hot.on`. */
  send(event: string, data?: unknown): void;
  /** The imports that lead from the entry to a file, both included. */
  chainTo(file: string): readonly string[];
  /** The files of the app's modules, relative to the root. */
  files(): readonly string[];
  /** Whether a file is as the last `load` or `prepare` read it; null for one that was not needed. */
  isUnchanged(file: string): boolean | null;
  /** Another process has taken over: accepts no more, asks every client to leave with its next answer, and resolves when the
   *  last one has left, or at the deadline. */
  leave(timeoutMs: number): Promise<DrainReport>;
  /** Ends every generation and gives the process back what was taken over. */
  close(): Promise<void>;
}

let openRuntime: Runtime | null = null;

/** Makes the runtime of this process; nothing is compiled yet.
 *  Errors: ERR_MIDFLIGHT_INVALID_STATE while another one is open; ERR_MIDFLIGHT_ENTRY_MISSING. */
export function createRuntime(options: RuntimeOptions): Runtime {
  if (openRuntime !== null) throw invalid('This process has a runtime already; close that first');
  openRuntime = new InProcessRuntime(options);
  return openRuntime;
}

class InProcessRuntime implements Runtime {
  readonly events = new EventEmitter<RuntimeEvents>();
  readonly #root: string;
  readonly #realRoot: string;
  readonly #index: ModuleIndex;
  readonly #generations: Generations;
  readonly #ready: 'listen' | 'load';
  readonly #readyTimeoutMs: number;
  readonly #history: Manifest[] = [];
  #assets: ManifestAssets = {};
  #current: Manifest | null = null;
  #status: 'idle' | 'busy' | 'prepared' | 'closed' = 'idle';
  #count = 0;

  constructor(options: RuntimeOptions) {
    const { root, listeners, readyTimeoutMs } = options;
    this.#root = root;
    this.#realRoot = realpathSync(root);
    this.#index = createModuleIndex(options);
    this.#ready = options.ready ?? 'load';
    this.#readyTimeoutMs = readyTimeoutMs ?? DEFAULT_READY_TIMEOUT_MS;
    this.#generations = createGenerations({
      source: listeners ?? createLocalListenerSource(),
      onRolledBack: () => undefined,
      onMessage: (event, data) => void this.events.emit('message', event, data),
    });
  }

  get generations(): readonly GenerationInfo[] {
    const current = this.#generations.current();
    const retained = this.#generations
      .retained()
      .map(({ generation, pinnedBy }) => ({ generation, status: 'retained' as const, pinnedBy }));
    if (current === null) return retained;
    return [{ generation: current.generation, status: 'current', pinnedBy: [] }, ...retained];
  }

  async countRetained(limit: number): Promise<number> {
    return this.#generations.countRetained(limit);
  }

  async load(): Promise<object> {
    if (this.#current !== null) throw invalid('The runtime is loaded already');
    const prepared = await this.prepare();
    await prepared.commit();
    return this.namespace() ?? {};
  }

  namespace(): object | null {
    return this.#generations.namespace();
  }

  async prepare(
    changes?: readonly string[],
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<PreparedSwap> {
    return this.#exclusively(async () => {
      const startedAt = performance.now();
      const paths = changes?.map((file) => this.#toRelative(file));
      const { modules, problems } = await this.#index.update(paths);
      this.#noticeAssets(modules, paths ?? Object.keys(this.#assets));
      if (problems[0] !== undefined) throw problems[0];
      return this.#prepareModules(modules, performance.now() - startedAt, signal);
    });
  }

  async rollback(): Promise<void> {
    const before = this.#history.pop();
    if (before === undefined) throw invalid('There is no version before the current one');
    try {
      const prepared = await this.#exclusively(async () => this.#prepareModules(before.modules, 0));
      await prepared.commit();
      this.#history.pop();
    } catch (error) {
      this.#history.push(before);
      throw error;
    }
  }

  send(event: string, data?: unknown): void {
    this.#generations.hotEvents.emit(event, data);
  }

  chainTo(file: string): readonly string[] {
    return this.#index.chainTo(this.#toRelative(file));
  }

  files(): readonly string[] {
    return [...this.#index.modules.keys()];
  }

  isUnchanged(file: string): boolean | null {
    return this.#index.isUnchanged(this.#toRelative(file));
  }

  async leave(timeoutMs: number): Promise<DrainReport> {
    silenceIntervals(true);
    await this.#generations.servers.stopAccepting();
    this.#generations.leave();
    return this.#generations.servers.drain({ timeoutMs });
  }

  async close(): Promise<void> {
    if (this.#status === 'closed') return;
    this.#status = 'closed';
    openRuntime = null;
    await this.#generations.close();
  }

  /** Files that are no modules count from when they are first said to differ, and where a module may read them. */
  #noticeAssets(modules: ManifestModules, paths: readonly string[]): void {
    const others = paths.filter((at) => !modules.has(at) && !isCode.test(at) && !this.#isDirectory(at));
    if (others.length === 0 || ![...modules.values()].some((module) => module.usesLocation)) return;
    const digests = others.map((at) => [at, digest(path.join(this.#root, at))] as const);
    this.#assets = { ...this.#assets, ...Object.fromEntries(digests) };
  }

  #isDirectory(at: string): boolean {
    return statSync(path.join(this.#root, at), { throwIfNoEntry: false })?.isDirectory() === true;
  }

  /** One thing at a time; what `prepare` leaves open is ended by its commit or abort. */
  async #exclusively(act: () => Promise<PreparedSwap>): Promise<PreparedSwap> {
    if (this.#status !== 'idle') throw invalid(`The runtime is ${this.#status}`);
    this.#status = 'busy';
    try {
      const prepared = await act();
      this.#become('prepared');
      return prepared;
    } catch (error) {
      this.#become('idle');
      throw error;
    }
  }

  #become(status: 'idle' | 'prepared'): void {
    if (this.#status !== 'closed') this.#status = status;
  }

  async #prepareModules(
    modules: ManifestModules,
    compileMs: number,
    signal?: AbortSignal,
  ): Promise<PreparedSwap> {
    const next = toOwnManifest({
      entry: this.#index.entry,
      modules,
      assets: this.#assets,
      id: `version ${this.#count + 1}`,
    });
    const policy = { path: 'auto', unswappable: new Set<string>() } as const;
    const plan = toPlan({ current: this.#current, next, problems: [], policy });
    const isRunnable = plan.path === 'swap' || this.#current === null;
    const prepareMs = isRunnable ? await this.#evaluate(next, signal) : 0;
    return {
      plan,
      timings: { compileMs, prepareMs },
      commit: async () => {
        this.#leavePrepared();
        if (isRunnable) await this.#commit(next, plan);
        else if (plan.path !== 'none') throw invalid(`The plan is ${plan.path}, which one process can't do`);
      },
      abort: () => {
        this.#leavePrepared();
        if (isRunnable) this.#generations.abort(this.#count);
      },
    };
  }

  async #evaluate(manifest: Manifest, signal?: AbortSignal): Promise<number> {
    signal?.throwIfAborted();
    const release: LoadedRelease = {
      id: manifest.id,
      root: this.#root,
      manifest,
      readCompiled: (module) => this.#index.compiledOf(module).code,
      findMap: (module) => {
        const { map } = this.#index.compiledOf(module);
        return map === null
          ? null
          : { url: toInlineMap(map, path.join(this.#realRoot, module.path)), read: () => map };
      },
    };
    this.#count += 1;
    const serves = this.#generations.servers.listening().length > 0;
    const isFirst = this.#current === null;
    const drop = (): void => this.#generations.abort(this.#count);
    signal?.addEventListener('abort', drop, { once: true });
    try {
      const { prepareMs } = await this.#generations.prepare({
        release,
        generation: this.#count,
        ready: serves ? 'listen' : isFirst ? this.#ready : 'load',
        readyTimeoutMs: this.#readyTimeoutMs,
        health: null,
      });
      return prepareMs;
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', drop);
    }
  }

  #leavePrepared(): void {
    if (this.#status !== 'prepared') throw invalid('This swap was committed or aborted before');
    this.#status = 'idle';
  }

  async #commit(next: Manifest, plan: Plan): Promise<void> {
    await this.#generations.commit(this.#count, { provisional: false });
    if (this.#current !== null) this.#history.push(this.#current);
    if (this.#history.length > HISTORY_LENGTH_MAX) this.#history.shift();
    this.#current = next;
    this.events.emit('committed', this.#count, plan);
  }

  #toRelative(file: string): string {
    return path.relative(this.#root, path.resolve(this.#root, file)).split(path.sep).join('/');
  }
}

const isCode = /\.[cm]?[jt]sx?$|(?:^|\/)(?:package|tsconfig[^/]*)\.json$/;

/** A file that is not there has the digest of nothing. */
function digest(file: string): ManifestFile {
  try {
    const content = readFileSync(file);
    return { hash: createHash('sha256').update(content).digest('hex'), sizeBytes: content.length };
  } catch {
    return { hash: '', sizeBytes: 0 };
  }
}

function invalid(what: string): MidflightError {
  return new MidflightError('ERR_MIDFLIGHT_INVALID_STATE', [what]);
}
