/**
 * A Node app under `midflight dev`. Owns its processes: the one that serves, the one that is to take over, and those that
 * are leaving.
 *
 * Invariants:
 * 1. One process is being started at a time; what asks for another meanwhile is one more start after it.
 * 2. `serving` changes when its successor has loaded, or when it has ended; the listeners stay bound through both.
 * 3. What a process was due for stays due until one has loaded.
 *
 *   event                     | serving         | next
 *   a start is due            | goes on         | is started
 *   next has loaded           | leaves          | becomes serving
 *   next fails                | goes on         | is ended; the next save starts another
 *   serving ends by itself    | none            | the next save starts another
 */

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { MidflightError } from '../errors.ts';
import type {
  DevEvent,
  DevLoadAnswer,
  DevProblem,
  DevRequest,
  DevStateAnswer,
} from '../protocol/dev-messages.ts';
import { toErrorReport, type DrainAnswer } from '../protocol/messages.ts';
import { describeCut } from '../supervisor/leaving.ts';
import { spawnNodeWorker, type NodeWorker } from '../supervisor/node-worker.ts';
import { describeExit, STOP_TIMEOUT_MS, type ProcessHost } from '../supervisor/process-host.ts';
import type { DevApp } from './dev-app.ts';
import type { Say } from './dev-notice.ts';
import { changedStartFiles, readDevSettings, type DevSettings, type DevSource } from './dev-settings.ts';
import { createSeenFiles, toStamps, type SeenFiles } from './seen-files.ts';
import { untilWritten } from './until-written.ts';

type Worker = NodeWorker<DevRequest>;

export interface NodeAppOptions {
  readonly source: DevSource;
  readonly host: ProcessHost;
  readonly say: Say;
}

const kWorkerFile = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './dev-worker.ts' : './dev-worker.js', import.meta.url),
);

const STUCK_MS = 3_000;
const STATE_TIMEOUT_MS = 5_000;
const READ_INTERVAL_MS = 5;
const READS_MAX = 100;

/** Makes the app; nothing runs yet. */
export function createNodeApp(options: NodeAppOptions): DevApp {
  return new NodeApp(options);
}

class NodeApp implements DevApp {
  readonly #options: NodeAppOptions;
  readonly #leaving = new Set<Worker>();
  #modules: ReadonlySet<string> = new Set();
  #settings: DevSettings | null = null;
  #serving: Worker | null = null;
  #next: Worker | null = null;
  #nextStartedAt = 0;
  /** The one that served last and has ended by itself. */
  #ended: Worker | null = null;
  readonly #seen = new WeakMap<Worker, SeenFiles>();
  readonly #killed = new WeakSet<Worker>();
  /** Why a process has to be started. */
  #due: readonly string[] = [];
  /** What was saved since the last start. */
  readonly #saved = new Set<string>();
  #work: 'idle' | 'starting' | 'starting, and once more' | 'stopped' = 'idle';

  /** One save may be told of more than once. */
  readonly #heard: SeenFiles;

  constructor(options: NodeAppOptions) {
    this.#options = options;
    this.#heard = createSeenFiles(options.source.root);
  }

  async start(): Promise<void> {
    await this.#want(['it is the first']);
  }

  noticeAny(): void {
    this.notice([...this.#modules, ...(this.#settings?.startFiles.keys() ?? [])]);
  }

  notice(paths: readonly string[]): void {
    for (const worker of [this.#serving, this.#next]) this.#tell(worker, paths);
    const changed =
      this.#settings === null ? [] : changedStartFiles(this.#options.source.root, this.#settings, paths);
    const isDue = this.#due.length > 0 && paths.some((at) => this.#mayMend(at) && !this.#wasSeen(at));
    const isNews = paths.some((at) => this.#mayMend(at) && !this.#heard.isSeen(at));
    this.#heard.see(toStamps(this.#options.source.root, paths));
    if (isNews || changed.length > 0) this.#endStuck();
    for (const at of paths) this.#saved.add(at);
    if (changed.length > 0 || isDue) void this.#want(changed.map((at) => `${at} differs`));
  }

  handoff(reason: string): void {
    void this.#want([reason]);
  }

  async undo(): Promise<void> {
    await this.#serving?.request({ type: 'undo' });
    this.#options.say({ type: 'undone' });
  }

  async chainsTo(paths: readonly string[]): Promise<readonly (readonly string[])[]> {
    const chains = await this.#serving?.request({ type: 'chains', paths }).catch(() => null);
    return (chains ?? []) as readonly (readonly string[])[];
  }

  knows(path: string): boolean {
    return this.#modules.has(path) || this.#settings?.startFiles.has(path) === true;
  }

  async stop(): Promise<void> {
    this.#work = 'stopped';
    const workers = [this.#serving, this.#next, ...this.#leaving].filter((worker) => worker !== null);
    await Promise.all(workers.map((worker) => worker.end(STOP_TIMEOUT_MS)));
  }

  async #want(reasons: readonly string[]): Promise<void> {
    this.#due = [...new Set([...this.#due, ...reasons])];
    if (this.#work !== 'idle') {
      if (this.#work === 'starting') this.#work = 'starting, and once more';
      return;
    }
    do {
      this.#work = 'starting';
      await this.#replace();
      this.#noticeStartFiles();
    } while (this.#isOnceMoreWanted());
    if (!this.#isStopped()) this.#work = 'idle';
  }

  /** A start that takes that long when somebody saves, or after that, may never end. */
  #endStuck(): void {
    const next = this.#next;
    if (next === null) return;
    if (performance.now() - this.#nextStartedAt > STUCK_MS) this.#endNext(next);
    else setTimeout(() => this.#endNext(next), STUCK_MS).unref();
  }

  /** Where this process was the slow one, the answer of the other is there to be read first. */
  #endNext(next: Worker): void {
    setTimeout(() => {
      if (this.#next !== next) return;
      this.#killed.add(next);
      next.kill('SIGKILL');
    }, READ_INTERVAL_MS);
  }

  /** What was saved while a process was being started is in that process, or it failed because of it. */
  #isOnceMoreWanted(): boolean {
    return this.#work === 'starting, and once more' && this.#due.length > 0;
  }

  #isStopped(): boolean {
    return this.#work === 'stopped';
  }

  #noticeStartFiles(): void {
    if (this.#settings === null || this.#due.length > 0 || this.#isStopped()) return;
    const { root } = this.#options.source;
    const changed = changedStartFiles(root, this.#settings, this.#settings.startFiles.keys());
    if (changed.length === 0) return;
    this.#due = changed.map((at) => `${at} differs`);
    this.#work = 'starting, and once more';
  }

  async #replace(): Promise<void> {
    const { say } = this.#options;
    const before = this.#serving;
    const reasons = this.#due;
    if (before !== null) say({ type: 'handoff', reasons });
    const startedAt = performance.now();
    const failure = await this.#startNext();
    if (this.#isStopped()) return;
    if (failure !== null) {
      say({ type: this.#serving === null ? 'start-failed' : 'handoff-failed', ...failure });
      return;
    }
    const worker = this.#serving;
    // It may have ended since.
    if (worker === null) return;
    const durationMs = performance.now() - startedAt;
    if (before === null) {
      const addresses = (await this.#options.host.listeners()).map(({ address }) => address);
      say({ type: 'serving', addresses, pid: worker.pid, modules: this.#modules.size, durationMs });
    } else say({ type: 'handed-off', pid: worker.pid, durationMs });
  }

  /** Null when the new process serves. */
  async #startNext(): Promise<DevProblem | null> {
    const before = this.#serving;
    try {
      await untilWritten(this.#options.source.root, this.#saved);
      this.#saved.clear();
      if (this.#isStopped()) return null;
      const settings = await readDevSettings(this.#options.source);
      // A failed start is tried again when these files differ from what it was made of.
      this.#settings = settings;
      const worker = await this.#spawn(settings);
      this.#next = worker;
      this.#nextStartedAt = performance.now();
      if (before !== null) await this.#passStates(before, worker);
      const answer = (await worker.request(await this.#toLoad(settings))) as DevLoadAnswer;
      if (answer.status === 'failed') {
        worker.kill('SIGKILL');
        return answer;
      }
      if (worker.hasExited() || this.#killed.has(worker)) throw await toEnded(worker);
      this.#due = [];
      this.#serving = worker;
      if (before !== null) void this.#leave(before, settings.config.drainTimeoutMs);
      return null;
    } catch (error) {
      return { error: toErrorReport(error), importChain: [] };
    } finally {
      this.#next = null;
    }
  }

  /** As far as it can be done: nothing is worth a process that does not start. */
  async #passStates(from: Worker, to: Worker): Promise<void> {
    const at = join(this.#options.source.root, '.midflight', `state-${to.pid}.sock`);
    const request = { path: at, timeoutMs: STATE_TIMEOUT_MS };
    const log = (message: string): void => this.#options.say({ type: 'log', message });
    try {
      await to.request({ type: 'receiveState', ...request });
      const failures = (await from.request({ type: 'sendState', ...request })) as DevStateAnswer;
      for (const { name, error } of failures) log(`the state "${name}" begins anew: ${error.message}`);
    } catch (error) {
      if (!from.hasExited())
        log(`the states begin anew: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  async #toLoad({ release }: DevSettings): Promise<DevRequest> {
    const { manifest, location } = release;
    const { readyTimeoutMs, policy } = manifest.settings;
    const serves = this.#serving !== null && (await this.#options.host.listeners()).length > 0;
    const ready = serves ? 'listen' : 'load';
    return {
      type: 'load',
      options: { root: location.root, entry: manifest.entry ?? '', ready, readyTimeoutMs, ...policy },
    };
  }

  async #spawn({ release }: DevSettings): Promise<Worker> {
    const { host, source } = this.#options;
    const worker = await spawnNodeWorker<DevRequest, DevEvent>({
      host,
      release,
      appDirectory: source.root,
      label: null,
      mainFile: kWorkerFile,
      onEvent: (from, event) => this.#onEvent(from, event),
    });
    void whenRead(worker).then(() => this.#onExit(worker));
    return worker;
  }

  #onEvent(worker: Worker, event: DevEvent): void {
    if (this.#leaving.has(worker) || this.#isStopped()) return;
    switch (event.type) {
      case 'hello':
        return;
      case 'modules':
        this.#modules = new Set(event.paths);
        return;
      case 'unswappable':
        void this.#want(event.reasons);
        return;
      case 'seen':
        this.#seenBy(worker).see(event.stamps);
        return;
      case 'restless':
        this.#options.say({
          type: 'log',
          message: `${event.path} changes again and again, so the app seems to write it: it is watched no more until the next start`,
        });
        return;
      case 'swapped':
      case 'failed':
      case 'mended':
        this.#options.say(event);
    }
  }

  #onExit(worker: Worker): void {
    this.#leaving.delete(worker);
    if (worker !== this.#serving) return;
    this.#serving = null;
    this.#ended = worker;
    if (this.#isStopped()) return;
    this.#due = ['the app has ended'];
    void worker.exited.then((exit) => {
      this.#options.say({ type: 'ended', how: describeExit(exit) });
      if (
        this.#seenBy(worker)
          .unseen()
          .some((at) => this.#mayMend(at))
      )
        void this.#want([]);
    });
  }

  #tell(worker: Worker | null, paths: readonly string[]): void {
    if (worker === null) return;
    this.#seenBy(worker).tell(paths);
    worker.request({ type: 'files', paths }).catch(() => {
      // It has ended, and what it has not seen starts its successor.
    });
  }

  #seenBy(worker: Worker): SeenFiles {
    const known = this.#seen.get(worker) ?? createSeenFiles(this.#options.source.root);
    this.#seen.set(worker, known);
    return known;
  }

  /** News of what the process that has ended had taken in. */
  #wasSeen(at: string): boolean {
    return this.#ended !== null && this.#work === 'idle' && this.#seenBy(this.#ended).isSeen(at);
  }

  async #leave(worker: Worker, timeoutMs: number): Promise<void> {
    this.#leaving.add(worker);
    try {
      const left = (await worker.request({ type: 'leave', timeoutMs })) as DrainAnswer;
      if (left.timedOut) this.#sayCut(left);
    } catch {
      // It has ended, which is what it was asked for.
    }
    await worker.end(STOP_TIMEOUT_MS);
  }

  #sayCut(left: DrainAnswer): void {
    const message = `the process before was not drained in time; ${describeCut(left)}`;
    this.#options.say({ type: 'log', message });
  }

  /** Whether it could be why the app did not start; what an app writes itself would start it for ever. */
  #mayMend(at: string): boolean {
    return this.#modules.has(at) || /\.[cm]?[jt]sx?$/.test(at);
  }
}

/** Resolves when a process has ended and all that it had said has been read, unless a child of its own keeps the channel. */
async function whenRead(worker: Worker): Promise<void> {
  await worker.exited;
  for (let count = 0; count < READS_MAX && worker.isConnected(); count++) await sleep(READ_INTERVAL_MS);
}

async function toEnded(worker: Worker): Promise<MidflightError> {
  const exit = await worker.exited;
  return new MidflightError('ERR_MIDFLIGHT_WORKER_EXITED', [describeExit(exit), await worker.output()]);
}
