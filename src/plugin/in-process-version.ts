/**
 * A version of a plugin in this very process: a module graph of its own, of which nothing stays when it has ended.
 *
 *   status     | event   | next
 *   preparing  | commit  | current
 *   preparing  | end     | aborted
 *   current    | pause   | previous
 *   previous   | commit  | current
 *   any        | end     | retired
 */

import * as midflight from '../index.ts';
import { MidflightError } from '../errors.ts';
import { containErrors } from '../runtime/faults.ts';
import { createGeneration, type Generation } from '../runtime/generation.ts';
import { runInScope, runOutsideScopes, type GenerationStatus } from '../runtime/generation-scope.ts';
import { createHotEvents } from '../runtime/hot-events.ts';
import { currentOrigin, runAsModule } from '../runtime/origin.ts';
import { whenQuiet } from '../runtime/quiet.ts';
import type { StateRegistry } from '../runtime/state.ts';
import { fn, type Call, type Found } from './contract.ts';
import { containLeftBehind } from './left-behind.ts';
import { definePlugin, readDefinition, type PluginDefinition } from './define-plugin.ts';
import type { Plugin } from './plugin-api.ts';
import { toLabel, type PluginRelease } from './plugin-release.ts';
import type { Description } from './registry/describe-version.ts';
import type { PluginExport } from './registry/plugin-manifest.ts';
import type { RunningVersion } from './running-version.ts';
import { within } from './within.ts';

/** How long its modules, `setup` and `health` may take each, with what they wait for. */
const START_TIMEOUT_MS = 10_000;
const DISPOSE_TIMEOUT_MS = 10_000;

export interface InProcessOptions {
  /** An error of what it has started, a timer or a promise, that nobody has caught. Absent: it goes its way. */
  readonly onFault?: (version: RunningVersion, error: Error) => void;
  /** Whoever has its thread bounds each step; else this does. */
  readonly isBounded?: boolean;
  readonly release: PluginRelease;
  /** Of the plugin: all its versions share it. */
  readonly states: StateRegistry;
  /** Tells versions of one plugin apart. */
  readonly number: number;
}

/** Evaluates a version; nobody calls it before `setUp` and `commit`.
 *  Errors: what its code threw; ERR_MIDFLIGHT_PLUGIN_INVALID. */
export async function evaluateInProcess(options: InProcessOptions): Promise<RunningVersion> {
  const version = new InProcessVersion(options);
  try {
    await version.evaluate();
  } catch (error) {
    await version.end(0);
    throw error;
  }
  return version;
}

/** Evaluates a version that nobody is going to call, and tells what it says of itself and exports. */
export async function describeInProcess(options: InProcessOptions): Promise<Description> {
  const version = new InProcessVersion({ ...options, isBounded: true });
  await version.evaluate();
  return version.describe();
}

class InProcessVersion implements RunningVersion {
  readonly release: PluginRelease;
  readonly stopped = null;
  readonly takeOver = null;
  readonly #states: StateRegistry;
  readonly #generation: Generation;
  readonly #ending = new AbortController();
  readonly #letGoOfErrors: () => void;
  readonly #startTimeoutMs: number | null;
  #definition: PluginDefinition = {};
  #exports: Readonly<Record<string, unknown>> = {};

  constructor({ release, states, number, onFault, isBounded = false }: InProcessOptions) {
    this.#startTimeoutMs = isBounded ? null : START_TIMEOUT_MS;
    this.release = release;
    this.#states = states;
    const state = (...values: Parameters<StateRegistry['state']>): unknown =>
      runInScope(this.#generation.scope, () => states.state(...values));
    this.#generation = createGeneration({
      generation: number,
      release: release.loaded,
      previous: null,
      midflightExports: { '': { ...midflight, state }, plugin: { definePlugin, fn } },
      currentGraph: () => this.#generation.graph,
      refused: new Set(),
      statusesOf: () => [this.#generation.scope.status],
      onOpened: () => undefined,
      hot: { events: createHotEvents(), onInvalidate: () => undefined, onMessage: () => undefined },
    });
    this.#letGoOfErrors = onFault === undefined ? () => undefined : this.#contain(onFault);
  }

  get inFlightCount(): number {
    return this.#generation.scope.inFlightCount;
  }

  set inFlightCount(count: number) {
    this.#generation.scope.inFlightCount = count;
  }

  get version(): string | null {
    return this.#definition.version ?? this.release.version;
  }

  get label(): string {
    return toLabel({ ...this.release, version: this.version });
  }

  get requires(): Readonly<Record<string, string>> {
    return this.#definition.requires ?? {};
  }

  async evaluate(): Promise<void> {
    const { graph } = this.#generation;
    const evaluated = runOutsideScopes(async () => {
      await graph.load();
      await graph.evaluate();
    });
    const { name } = this.release;
    await within(this.#startTimeoutMs, evaluated, (problem) => {
      const details = [name, `its modules are not evaluated: ${problem}`];
      return new MidflightError('ERR_MIDFLIGHT_PLUGIN_INVALID', details);
    });
    const namespace = graph.namespace(graph.entry) ?? {};
    this.#definition = readDefinition(namespace, this.release.name);
    this.#exports = { ...namespace };
  }

  /** Of a version that is evaluated, and not set up. */
  describe(): Description {
    const { name = null, version = null, requires = {} } = this.#definition;
    const exports = Object.entries(this.#exports).filter(([, value]) => value !== this.#definition);
    return { name, version, requires, exports: Object.fromEntries(exports.map(toExport)) };
  }

  async setUp(plugins: Readonly<Record<string, Plugin>>): Promise<void> {
    const { setup, health } = this.#definition;
    const { signal } = this.#ending;
    const made = await this.#run('ERR_MIDFLIGHT_PLUGIN_SETUP_FAILED', () => setup?.({ plugins, signal }));
    if (typeof made === 'object' && made !== null) this.#exports = { ...this.#exports, ...made };
    const isWell = await this.#run('ERR_MIDFLIGHT_PLUGIN_UNHEALTHY', () => health?.());
    if (isWell === false)
      throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_UNHEALTHY', [this.label, 'health() says false']);
  }

  get names(): readonly string[] {
    return Object.keys(this.#exports);
  }

  find(name: string): Found {
    if (!Object.hasOwn(this.#exports, name)) return { kind: 'nothing' };
    const value = this.#exports[name];
    return typeof value === 'function' ? { kind: 'function' } : { kind: 'value', value };
  }

  toCall(name: string): Call {
    return this.#exports[name] as Call;
  }

  noteTimeout(): void {
    // It can't be ended from outside.
  }

  commit(): void {
    const { scope, graph } = this.#generation;
    if (scope.status === 'preparing') this.#states.commit(scope);
    this.#become('current');
    graph.adopt();
  }

  prove(): void {
    this.#states.settle();
  }

  pause(): void {
    this.#become('previous');
  }

  goBack(): void {
    this.#states.goBack(this.#generation.scope);
    this.#become('current');
  }

  async end(drainTimeoutMs: number): Promise<void> {
    const { scope, graph, lives } = this.#generation;
    const isUsed = scope.status !== 'preparing';
    await whenQuiet(scope, drainTimeoutMs);
    this.#ending.abort();
    await this.#dispose();
    if (!isUsed) {
      graph.abandon();
      this.#states.abort(scope);
    }
    this.#become(isUsed ? 'retired' : 'aborted');
    for (const { opened } of [...lives].toReversed()) {
      const { hot, lifetime } = opened;
      await hot?.end({ data: hot.data, isPruned: true });
      lifetime?.dispose();
    }
    graph.letGo([...graph.instances.values()]);
    this.#letGoOfErrors();
    this.#exports = {};
    this.#definition = {};
  }

  #contain(onFault: NonNullable<InProcessOptions['onFault']>): () => void {
    const end = containErrors((error) => {
      if (!this.#isCauseNow()) return false;
      onFault(this, error);
      return true;
    });
    return () => {
      const origins = [...this.#generation.lives].map(({ origin }) => origin);
      containLeftBehind(origins, this.label);
      end();
    };
  }

  /** Whether what runs now was caused by the evaluation of one of its modules. */
  #isCauseNow(): boolean {
    const origin = currentOrigin();
    return origin?.kind === 'module' && this.#generation.lives.get(origin.path)?.origin === origin;
  }

  async #dispose(): Promise<void> {
    const { dispose } = this.#definition;
    if (dispose === undefined) return;
    try {
      await within(DISPOSE_TIMEOUT_MS, this.#asItself(dispose));
    } catch (error) {
      console.error(`dispose() of plugin ${this.label} failed:`, error);
    }
  }

  #become(status: GenerationStatus): void {
    const { scope, lives } = this.#generation;
    scope.status = status;
    for (const { opened } of lives) opened.lifetime?.statusChanged();
  }

  async #run(
    code: 'ERR_MIDFLIGHT_PLUGIN_SETUP_FAILED' | 'ERR_MIDFLIGHT_PLUGIN_UNHEALTHY',
    act: () => unknown,
  ): Promise<unknown> {
    try {
      return await within(this.#startTimeoutMs, this.#asItself(act));
    } catch (cause) {
      const problem = cause instanceof Error ? cause.message : String(cause);
      throw new MidflightError(code, [this.label, problem], { cause });
    }
  }

  /** What it starts is its own, whoever has asked. */
  async #asItself(act: () => unknown): Promise<unknown> {
    const { graph, lives } = this.#generation;
    const origin = lives.get(graph.entry)?.origin ?? { kind: 'module', path: graph.entry };
    return runOutsideScopes(() => runAsModule(origin, async () => act()));
  }
}

function toExport([name, value]: readonly [string, unknown]): readonly [string, PluginExport] {
  if (typeof value === 'function') {
    const isClass = /^class\b/.test(Function.prototype.toString.call(value));
    return [name, { kind: isClass ? 'class' : 'function', arity: value.length }];
  }
  if (Array.isArray(value)) return [name, { kind: 'array' }];
  return [name, { kind: value === null ? 'null' : typeof value }];
}
