/**
 * A version of a plugin in a thread of its own. Owns that thread: it is there from `evaluateInThread` until `end`, or until it
 * stops by itself, which `stopped` tells.
 *
 * 1. The host never waits for the thread without a bound, and never stands still for it.
 * 2. Every call is settled: by its answer, or by ERR_MIDFLIGHT_PLUGIN_STOPPED.
 * 3. States are in one thread at a time: in that of the version that was committed last. What ends by itself takes them along.
 *
 *   status   | event                                      | next
 *   running  | end                                        | ending
 *   running  | it exits, uses too much, or is stuck       | stopped
 *   ending   | it exits                                   | ended
 */

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { MessageChannel, Worker } from 'node:worker_threads';
import { MidflightError } from '../../errors.ts';
import { runOutsideScopes } from '../../runtime/generation-scope.ts';
import type { EncodedState } from '../../runtime/state-entry.ts';
import type { WantedStates } from '../../runtime/state.ts';
import type { Call, Found } from '../contract.ts';
import type { Plugin } from '../plugin-api.ts';
import { toLabel, type PluginRelease } from '../plugin-release.ts';
import type { RunningVersion } from '../running-version.ts';
import { within } from '../within.ts';
import { toCarried } from './carried-release.ts';
import { createExchange, type Exchange } from './exchange.ts';
import { toWorkerOptions, type Limits, type ThreadIsolation } from './isolation.ts';
import { createRequiredHost, type RequiredHost } from './required-host.ts';
import { toUncopiedArguments } from './required-plugins.ts';
import type { HostSide, Start, ThreadSide, Told } from './sides.ts';
import { answerSync } from './sync-line.ts';
import { watchThread } from './thread-watch.ts';

/** Calls that are in flight may write to the states; what they write after that is lost. */
const QUIET_TIMEOUT_MS = 1_000;
const QUIET_CHECK_MS = 5;
/** For all states to go over. */
const STATES_TIMEOUT_MS = 10_000;
/** `dispose` has 10 s. */
const END_TIMEOUT_MS = 11_000;
const TERMINATE_TIMEOUT_MS = 5_000;

/** What the versions of one plugin have in common. */
export interface ThreadFamily {
  /** Who has the states. */
  owner: ThreadVersion | null;
}

export interface ThreadOptions extends Omit<ThreadIsolation, 'limits'> {
  readonly release: PluginRelease;
  readonly number: number;
  readonly limits: Limits;
  readonly family: ThreadFamily;
}

/** Starts a thread and evaluates a version there, with a copy of the states; nobody calls it before `setUp` and `commit`.
 *  Errors: what its code threw; ERR_MIDFLIGHT_PLUGIN_INVALID, …_STOPPED. */
export async function evaluateInThread(options: ThreadOptions): Promise<RunningVersion> {
  // It is the plugin's, and not that of the request that has opened it.
  const version = runOutsideScopes(() => new ThreadVersion(options));
  try {
    await version.evaluate();
  } catch (error) {
    await version.end(0);
    throw error;
  }
  return version;
}

class ThreadVersion implements RunningVersion {
  readonly release: PluginRelease;
  readonly stopped: Promise<Error>;
  inFlightCount = 0;
  readonly #options: ThreadOptions;
  readonly #worker: Worker;
  readonly #exchange: Exchange<ThreadSide>;
  readonly #required: RequiredHost;
  readonly #exited = Promise.withResolvers<void>();
  readonly #close: () => void;
  #status: 'running' | 'ending' | 'stopped' | 'ended' = 'running';
  #stop: (error: Error) => void = () => undefined;
  #told: Told = { version: null, requires: {} };
  #found: ReadonlyMap<string, Found> = new Map();
  #isPinged = false;

  constructor(options: ThreadOptions) {
    const { release, number, limits } = options;
    this.#options = options;
    this.release = release;
    this.stopped = new Promise((resolve) => (this.#stop = resolve));
    const file = `./thread-main${path.extname(import.meta.filename)}`;
    const name = `plugin ${toLabel(release)}`;
    this.#worker = new Worker(new URL(file, import.meta.url), {
      ...toWorkerOptions({ ...options, root: release.loaded.root }),
      name,
    });
    this.#worker.unref();
    const { port1, port2 } = new MessageChannel();
    this.#required = createRequiredHost(
      (...told) => void this.#exchange.ask('event', ...told).catch(() => undefined),
    );
    const sync = answerSync(this.#required.sync);
    this.#exchange = createExchange<HostSide, ThreadSide>({
      port: port1,
      own: this.#required.own,
      isUnref: true,
    });
    const start: Start = { port: port2, sync: sync.line, release: toCarried(release), number };
    this.#worker.postMessage(start, [port2, sync.line.port]);
    const unwatch = watchThread({
      worker: this.#worker,
      limits,
      isBusy: () => this.inFlightCount > 0 || this.#found.size === 0,
      collect: async () => this.#exchange.ask('collect'),
      onExcess: (why) => void this.#kill(why),
    });
    this.#close = () => {
      unwatch();
      sync.close();
    };
    let thrown: unknown;
    this.#worker.on('error', (error) => (thrown = error));
    this.#worker.on('exit', (code) => this.#onExit(code, thrown));
  }

  get version(): string | null {
    return this.#told.version;
  }

  get label(): string {
    return toLabel({ ...this.release, version: this.version ?? this.release.version });
  }

  get requires(): Readonly<Record<string, string>> {
    return this.#told.requires;
  }

  get names(): readonly string[] {
    return [...this.#found.keys()];
  }

  async evaluate(): Promise<void> {
    const { owner } = this.#options.family;
    const early = owner === null ? [] : await owner.#encodeEarly();
    this.#told = await this.#bounded('evaluated', this.#exchange.ask('evaluate', early));
  }

  async setUp(plugins: Readonly<Record<string, Plugin>>): Promise<void> {
    this.#required.open(plugins);
    const found = await this.#bounded('set up', this.#exchange.ask('setUp', Object.keys(plugins)));
    this.#found = new Map(found);
  }

  find(name: string): Found {
    return this.#found.get(name) ?? { kind: 'nothing' };
  }

  toCall(name: string): Call {
    const exchange = this.#exchange;
    return (...values) => {
      try {
        return exchange.ask('call', name, ...values);
      } catch (cause) {
        return Promise.reject(toUncopiedArguments(`${name}() of plugin ${this.label}`, cause));
      }
    };
  }

  noteTimeout(): void {
    if (this.#isPinged || this.#status !== 'running') return;
    this.#isPinged = true;
    const { stuckMs } = this.#options.limits;
    within(stuckMs, this.#exchange.ask('ping')).then(
      () => (this.#isPinged = false),
      async () => this.#kill(`it has let nothing run for ${stuckMs} ms`),
    );
  }

  readonly takeOver = async (before: RunningVersion | null): Promise<void> => {
    const wanted = await within(STATES_TIMEOUT_MS, this.#exchange.ask('wanted'));
    const states = before instanceof ThreadVersion ? await before.#handStates(wanted) : [];
    await within(STATES_TIMEOUT_MS, this.#exchange.ask('commit', states));
  };

  async #encodeEarly(): Promise<readonly EncodedState[]> {
    // What can't be copied, or not in time, says so at the commit.
    return within(STATES_TIMEOUT_MS, this.#exchange.ask('encode', new Map(), false)).catch(() => []);
  }

  async #handStates(wanted: WantedStates): Promise<readonly EncodedState[]> {
    try {
      // One that answers not even this is stuck.
      const hasStates = await within(STATES_TIMEOUT_MS, this.#exchange.ask('hasStates')).catch(async () => {
        await this.#kill(`it has let nothing run for ${STATES_TIMEOUT_MS} ms`);
        return false;
      });
      if (!hasStates) return [];
      const deadlineMs = performance.now() + QUIET_TIMEOUT_MS;
      while (this.inFlightCount > 0 && performance.now() < deadlineMs) await sleep(QUIET_CHECK_MS);
      return await within(STATES_TIMEOUT_MS, this.#exchange.ask('encode', wanted, true));
    } catch (error) {
      // What has stopped has taken them along.
      if (this.#status !== 'running') return [];
      throw error;
    }
  }

  commit(): void {
    if (this.#status !== 'running') throw this.#stoppedError('its thread has ended');
    this.#options.family.owner = this;
  }

  pause(): void {
    this.#tell('pause');
  }

  goBack(): void {
    this.#options.family.owner = this;
    this.#tell('goBack');
  }

  prove(): void {
    this.#tell('prove');
  }

  async end(drainTimeoutMs: number): Promise<void> {
    const deadlineMs = performance.now() + drainTimeoutMs;
    while (this.inFlightCount > 0 && performance.now() < deadlineMs)
      await sleep(QUIET_CHECK_MS, null, { ref: false });
    if (this.#status === 'running') {
      // It is terminated in any case; what went wrong in it, it has printed.
      await within(END_TIMEOUT_MS, this.#exchange.ask('end')).catch(() => undefined);
      if (this.#status === 'running') this.#status = 'ending';
    }
    if (this.#options.family.owner === this) this.#options.family.owner = null;
    this.#closeExchange('it was closed');
    await this.#terminate();
  }

  async #kill(why: string): Promise<void> {
    if (this.#status !== 'running') return;
    this.#onStopped(why);
    await this.#terminate();
  }

  async #terminate(): Promise<void> {
    void this.#worker.terminate();
    await within(TERMINATE_TIMEOUT_MS, this.#exited.promise).catch(() => {
      console.error(`The thread of plugin ${this.label} does not end; it may be in a call of the system`);
    });
  }

  #onExit(code: number, thrown: unknown): void {
    if (this.#status === 'running') this.#onStopped(describeExit(code, thrown), thrown);
    this.#close();
    this.#status = 'ended';
    this.#exited.resolve();
  }

  #onStopped(why: string, cause?: unknown): void {
    this.#status = 'stopped';
    this.#stop(this.#closeExchange(why, cause));
  }

  #closeExchange(why: string, cause?: unknown): Error {
    const error = this.#stoppedError(why, cause);
    this.#exchange.close(error);
    return error;
  }

  #stoppedError(why: string, cause?: unknown): Error {
    const options = cause === undefined ? {} : { cause };
    return new MidflightError('ERR_MIDFLIGHT_PLUGIN_STOPPED', [this.label, why], options);
  }

  /** One step to its first call. */
  async #bounded<Result>(what: string, awaited: Promise<Result>): Promise<Result> {
    const { startMs } = this.#options.limits;
    const timer = setTimeout(() => void this.#kill(`it was not ${what} after ${startMs} ms`), startMs);
    try {
      return await awaited;
    } finally {
      clearTimeout(timer);
    }
  }

  #tell(kind: 'pause' | 'goBack' | 'prove'): void {
    // It fails only when the thread ends, which is told.
    this.#exchange.ask(kind).catch(() => undefined);
  }
}

function describeExit(code: number, thrown: unknown): string {
  if (thrown instanceof Error) {
    const isMemory = 'code' in thrown && thrown.code === 'ERR_WORKER_OUT_OF_MEMORY';
    return isMemory ? 'its memory was used up' : `an error was not caught: ${thrown.message}`;
  }
  return thrown === undefined
    ? `it has called process.exit(${code})`
    : `this was thrown and not caught: ${inspect(thrown)}`;
}
