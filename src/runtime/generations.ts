/**
 * The generations of one process. Owns which of them is current, which is being prepared and which one to go back to.
 *
 * Invariants:
 * 1. At most one generation is being prepared.
 * 2. `current` changes only in point(), synchronously, with the servers.
 * 3. `proved` is the last generation that passed probation; it is kept, warm, until the one after it has.
 *
 *   state of a generation | event            | next
 *   preparing             | commit           | current
 *   preparing             | abort, fault     | aborted
 *   current (provisional) | prove            | current (proved); the proved one before → retired
 *   current (provisional) | rollback, fault  | retired; the proved one → current
 *   current (provisional) | commit of a next | retired; the proved one stays
 */

import * as midflight from '../index.ts';
import * as midflightWs from '../ws.ts';
import { MidflightError } from '../errors.ts';
import {
  toErrorReport,
  type HealthCheck,
  type PrepareAnswer,
  type RetainedGeneration,
} from '../protocol/messages.ts';
import { watchFaults } from './faults.ts';
import {
  createGeneration,
  moduleAt,
  notifyAccepted,
  rootsOf,
  sharesOrigin,
  toPatient,
  toUpdates,
  type Generation,
} from './generation.ts';
import { currentScope, runInScope, type GenerationScope, type GenerationStatus } from './generation-scope.ts';
import type { Generations, GenerationsOptions } from './generations-api.ts';
import { checkHealth } from './health.ts';
import { createHotEvents } from './hot-events.ts';
import { Invalidations } from './invalidations.ts';
import type { ModuleGraph } from './module-graph.ts';
import type { ModuleLife } from './module-life.ts';
import { Preparation, type PrepareOptions } from './preparation.ts';
import { createRetirement, type Retirement } from './retirement.ts';
import { bridgeNativeLoads } from './native-bridge.ts';
import { adoptServers, type ServerAdoption } from './servers/adoption.ts';
import { unmapStackTraces } from './stack-traces.ts';
import { createProcessWebSockets } from './web-sockets/process-web-sockets.ts';
import { createStateRegistry, type StateRegistry } from './state.ts';

/** How long work in flight may hold a generation that no longer counts. */
const RETIRE_TIMEOUT_MS = 600_000;

export type { Generations };

/** Makes the generations of this process, none loaded yet; servers are adopted from now on. */
export function createGenerations(options: GenerationsOptions): Generations {
  return new ProcessGenerations(options);
}

class ProcessGenerations implements Generations {
  readonly servers: ServerAdoption;
  readonly hotEvents = createHotEvents((act) =>
    this.#current === null ? act() : runInScope(this.#current.scope, act),
  );
  readonly #options: GenerationsOptions;
  readonly states: StateRegistry = createStateRegistry({
    modulesOf: (scope) => [...(this.#find(scope)?.lives ?? [])].map(({ origin }) => origin),
  });
  readonly #webSockets = createProcessWebSockets({
    current: () => this.current(),
    onMoved: (socket) => this.servers.rekeep(socket),
  });
  readonly #retirement: Retirement;
  readonly #restores: readonly (() => void)[];
  readonly #invalidations = new Invalidations();
  #preparing: Preparation | null = null;
  #isLeaving = false;
  #current: Generation | null = null;
  #proved: Generation | null = null;
  #goneBackFrom: number | null = null;

  constructor(options: GenerationsOptions) {
    this.#options = options;
    this.servers = adoptServers({ source: options.source });
    this.#retirement = createRetirement({
      servers: this.servers,
      hotEvents: this.hotEvents,
      generations: () => this.#all(),
      current: () => this.#current,
    });
    this.#restores = [
      () => this.#webSockets.dispose(),
      bridgeNativeLoads((file) => moduleAt(file, { scope: currentScope(), generations: this.#all() })),
      watchFaults({
        onFault: (scope, error) => this.#contain(scope, error),
        onCrash: ({ generation }, error) => options.onCrash?.(generation, error),
      }),
      () => this.states.dispose(),
      () => this.servers.restore(),
      () => this.#retirement.dispose(),
      unmapStackTraces,
    ];
  }

  async prepare(options: PrepareOptions): Promise<PrepareAnswer> {
    if (this.#invalidations.evaluation !== null) await this.#invalidations.evaluation;
    return this.#prepare(options);
  }

  async #prepare(options: PrepareOptions): Promise<PrepareAnswer> {
    if (this.#preparing !== null) throw invalid(`Generation ${this.#preparing.number} is being prepared`);
    const startedAt = performance.now();
    const refused = new Set([...(options.refused ?? []), ...this.#invalidations.takeAll()]);
    const generation = this.#create(options, refused);
    const preparing = new Preparation(generation, { ...options, refused });
    this.#preparing = preparing;
    this.servers.inherit(
      generation.scope,
      (origin) => origin !== undefined && sharesOrigin(generation, origin),
    );
    try {
      const listening = await preparing.run(this.servers);
      if (!this.#invalidations.isEmpty) return await this.prepareAgain();
      const reevaluated = [...generation.graph.changed];
      return { prepareMs: performance.now() - startedAt, reevaluated, listening };
    } catch (error) {
      throw this.#dropFailed(preparing, error);
    }
  }

  #create(options: PrepareOptions, refused: ReadonlySet<string>): Generation {
    return createGeneration({
      generation: options.generation,
      release: options.release,
      previous: this.#current,
      midflightExports: { '': midflight, ws: midflightWs },
      currentGraph: this.#runningGraph,
      refused,
      statusesOf: this.#statusesOf,
      onOpened: (life) => this.#retirement.noticeOpened(life),
      hot: {
        events: this.hotEvents,
        onInvalidate: this.#onInvalidate,
        onMessage: (event, data) => this.#options.onMessage?.(event, data),
      },
    });
  }

  #dropFailed(preparing: Preparation, error: unknown): unknown {
    // It was aborted meanwhile.
    if (this.#preparing !== preparing) return error;
    const explained = preparing.explain(error);
    this.abort(preparing.number);
    const { message, stack } = toErrorReport(error);
    this.hotEvents.emit('vite:error', { type: 'error', err: { message, stack } });
    return explained;
  }

  /** With what has been invalidated since. */
  async prepareAgain(): Promise<PrepareAnswer> {
    const preparing = this.#preparing;
    if (preparing === null) throw invalid('Nothing is being prepared');
    this.#drop(preparing.number);
    return this.#prepare(preparing.options);
  }

  readonly #statusesOf = (life: ModuleLife): GenerationStatus[] =>
    this.#all()
      .filter(({ lives }) => lives.has(life))
      .map(({ scope }) => scope.status);

  /** What runs outside of all generations, as an embedder's call does, is answered in the current one. */
  readonly #runningGraph = (): ModuleGraph | undefined =>
    (this.#find(currentScope()) ?? this.#current)?.graph;

  readonly #onInvalidate = (path: string, message: string | undefined, isCurrent: boolean): void => {
    // It is being evaluated with its importers already.
    if (this.#preparing?.options.refused?.has(path) === true) return;
    this.#invalidations.add(path, isCurrent);
    this.hotEvents.emit('vite:invalidate', { path, message, firstInvalidatedBy: path });
    // While one is being prepared or committed, that one takes it in.
    if (this.#preparing === null) this.#evaluateInvalidated();
  };

  /** The current generation once more, with all that imports what was invalidated. */
  #evaluateInvalidated(): void {
    const current = this.#current;
    if (current === null) return;
    const { release, scope } = current;
    const { generation } = scope;
    const provisional = current !== this.#proved;
    this.#invalidations.evaluate(
      this.#prepare({ release, generation, ready: 'load', readyTimeoutMs: 0, health: null }).then(() =>
        this.commit(generation, { provisional }),
      ),
    );
  }

  async commit(number: number, options: { provisional: boolean }): Promise<void> {
    const preparing = this.#preparing;
    if (preparing?.number !== number) throw invalid(`Generation ${number} is not prepared`);
    const next = preparing.generation;
    const before = this.#current;
    if (preparing.fault !== null) {
      this.abort(number);
      throw preparing.fault;
    }
    if (next.graph.isOutrun()) {
      await this.prepareAgain();
      return this.commit(number, options);
    }
    const payload = { type: 'update', updates: toUpdates(next) } as const;
    if (before !== null) this.hotEvents.emit('vite:beforeUpdate', payload);
    try {
      this.states.commit(next.scope);
      this.#point(next);
      if (before !== null) notifyAccepted(next, before);
    } catch (error) {
      this.#comeBack(before);
      this.abort(number);
      throw error;
    }
    if (!this.#invalidations.isEmpty) {
      this.#comeBack(before);
      await this.prepareAgain();
      return this.commit(number, options);
    }
    this.#preparing = null;
    this.#webSockets.move();
    this.#settleCommitted(before, options.provisional);
    if (before !== null) this.hotEvents.emit('vite:afterUpdate', payload);
  }

  #settleCommitted(before: Generation | null, provisional: boolean): void {
    if (before !== null && before !== this.#proved) void this.#retirement.retire(before, RETIRE_TIMEOUT_MS);
    if (provisional && this.#proved !== null) return;
    const proved = this.#proveCurrent();
    if (proved !== null) void this.#retirement.retire(proved, RETIRE_TIMEOUT_MS);
  }

  /** The one that was proved until now, which nobody goes back to any more. */
  #proveCurrent(): Generation | null {
    const before = this.#proved;
    this.#proved = this.#current;
    this.states.settle();
    return before === this.#proved ? null : before;
  }

  /** Undoes a commit that did not come to its end. */
  #comeBack(before: Generation | null): void {
    if (before === null) return;
    this.states.goBack(before.scope);
    if (this.#current !== before) this.#point(before);
  }

  abort(number: number): void {
    if (!this.#drop(number)) return;
    this.#invalidations.keepCurrent();
    // It would have been taken in.
    if (!this.#invalidations.isEmpty) this.#evaluateInvalidated();
  }

  #drop(number: number): boolean {
    const preparing = this.#preparing;
    if (preparing?.number !== number) return false;
    const { generation } = preparing;
    this.#preparing = null;
    preparing.fail(invalid(`Generation ${number} was aborted`));
    void this.#retirement.end(generation, 'aborted', this.#current);
    this.states.abort(generation.scope);
    this.servers.abort(generation.scope);
    return true;
  }

  rollback(number: number): void {
    // Its own fault has come before the order.
    if (this.#goneBackFrom === number) return;
    if (this.#current?.scope.generation !== number || !this.#goBack()) {
      throw invalid(`Generation ${number} has none before it to go back to`);
    }
  }

  async prove(number: number, drainTimeoutMs: number): Promise<void> {
    if (this.#current?.scope.generation !== number) return;
    const before = this.#proveCurrent();
    if (before !== null) await this.#retirement.retire(before, drainTimeoutMs);
  }

  async checkHealth(health: HealthCheck): Promise<void> {
    if (this.#current !== null) await checkHealth(this.servers, toPatient(this.#current), health);
  }

  scopeOf(number: number): GenerationScope | null {
    return this.#all().find(({ scope }) => scope.generation === number)?.scope ?? null;
  }

  leave(): void {
    this.#isLeaving = true;
  }

  current(): GenerationScope | null {
    return this.#current?.scope ?? null;
  }

  namespace(): object | null {
    const graph = this.#current?.graph;
    return graph?.namespace(graph.entry) ?? null;
  }

  async close(): Promise<void> {
    if (this.#preparing !== null) this.#drop(this.#preparing.number);
    await this.servers.stopAccepting();
    for (const generation of this.#all()) {
      await this.#retirement.end(generation, 'retired', null);
      this.servers.retire(generation.scope);
    }
    this.#current = this.#proved = null;
    for (const restore of this.#restores) restore();
  }

  retained(): readonly RetainedGeneration[] {
    const proved = this.#proved !== this.#current ? this.#proved : null;
    return this.#retirement.list(proved);
  }

  async countRetained(limit: number): Promise<number> {
    return this.#retirement.count(limit);
  }

  roots(): readonly string[] {
    return [...new Set([...this.#all().flatMap(rootsOf), ...this.#retirement.roots()])];
  }

  #all(): Generation[] {
    const generations = [
      this.#current,
      this.#preparing?.generation,
      this.#proved,
      ...this.#retirement.retiring,
    ];
    return [...new Set(generations)].filter((generation) => generation !== null && generation !== undefined);
  }

  /** The one place that says which generation is current. */
  #point(next: Generation): void {
    const before = this.#current;
    const was = next.scope.status;
    if (before !== null) before.scope.status = 'previous';
    next.scope.status = 'current';
    try {
      this.servers.commit(next.scope);
    } catch (error) {
      next.scope.status = was;
      if (before !== null) before.scope.status = 'current';
      throw error;
    }
    this.#current = next;
    next.scope.meter?.begin();
    next.graph.adopt();
    this.#retirement.noticeStatus();
  }

  #find(scope: GenerationScope | undefined): Generation | undefined {
    return this.#all().find((generation) => generation.scope === scope);
  }

  #goBack(): boolean {
    const failed = this.#current;
    if (failed === null || this.#proved === null || this.#proved === failed) return false;
    this.#goneBackFrom = failed.scope.generation;
    // What was invalidated in it need not be evaluated again.
    this.#drop(failed.scope.generation);
    this.#invalidations.clear();
    this.states.goBack(this.#proved.scope);
    this.#point(this.#proved);
    this.#webSockets.move();
    void this.#retirement.retire(failed, RETIRE_TIMEOUT_MS);
    return true;
  }

  /** True when the fault was of code that has not proved itself, and is dealt with. */
  #contain(scope: GenerationScope, error: Error): boolean {
    if (this.#isLeaving) return false;
    if (scope === this.#preparing?.generation.scope) {
      this.#preparing.noteFault(error);
      return true;
    }
    // Code that was sent away has no say in how the process ends.
    if (scope.status === 'aborted' || scope.status === 'retired') return true;
    if (scope !== this.#current?.scope || !this.#goBack()) return false;
    this.#options.onRolledBack(scope.generation, error);
    return true;
  }
}

function invalid(what: string): MidflightError {
  return new MidflightError('ERR_MIDFLIGHT_INVALID_STATE', [what]);
}
