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
  toWorkerError,
  type HealthCheck,
  type PrepareAnswer,
  type PrepareOptions as PrepareMessage,
  type RetainedGeneration,
} from '../protocol/messages.ts';
import { watchFaults } from './faults.ts';
import {
  createGeneration,
  evaluateGeneration,
  notifyAccepted,
  rootsOf,
  sharesOrigin,
  toUpdates,
  type Generation,
} from './generation.ts';
import { currentScope, runInScope, type GenerationScope, type GenerationStatus } from './generation-scope.ts';
import { createHotEvents, type HotEvents } from './hot-events.ts';
import type { LoadedRelease } from './loaded-release.ts';
import type { ModuleGraph } from './module-graph.ts';
import type { ModuleInstance } from './module-instance.ts';
import type { ModuleLife } from './module-life.ts';
import { createRetirement, type Retirement } from './retirement.ts';
import { bridgeNativeLoads } from './native-bridge.ts';
import type { ModuleOrigin } from './origin.ts';
import { whenQuiet } from './quiet.ts';
import { adoptServers, type ServerAdoption } from './servers/adoption.ts';
import { carryKinds } from './servers/carry-kind.ts';
import { toAddressKey } from './servers/listen-address.ts';
import type { ListenerSource } from './servers/listener-source.ts';
import { unmapStackTraces } from './stack-traces.ts';
import { moveWebSockets } from './web-sockets/move-web-sockets.ts';
import { createWebSocketKind, WEB_SOCKET_KIND } from './web-sockets/web-socket-kind.ts';
import { createWebSocketRegistry } from './web-sockets/web-socket-registry.ts';
import { createStateRegistry, type StateRegistry } from './state.ts';

/** How long work in flight may hold a generation that no longer counts. */
const RETIRE_TIMEOUT_MS = 600_000;

export interface GenerationsOptions {
  readonly source: ListenerSource;
  /** A provisional generation failed and the proved one is current again. */
  onRolledBack(generation: number, error: Error): void;
  /** An uncaught error of a generation that has nothing to go back to ends the process. */
  onCrash?(generation: number, error: Error): void;
  /** A module has called `import.meta.hot.send`. */
  onMessage?(event: string, data: unknown): void;
}

export interface PrepareOptions extends Omit<PrepareMessage, 'release'> {
  readonly release: LoadedRelease;
  /** Modules that can't be replaced in place this time. */
  readonly refused?: ReadonlySet<string>;
}

export interface Generations {
  readonly servers: ServerAdoption;
  readonly states: StateRegistry;
  /** What `import.meta.hot.on` hears. */
  readonly hotEvents: HotEvents;
  /** Loads, links, evaluates and checks a release beside the current generation.
   *  Errors: whatever its code threw; nothing has changed then. */
  prepare(options: PrepareOptions): Promise<PrepareAnswer>;
  /** Evaluates what is being prepared once more. */
  prepareAgain(): Promise<PrepareAnswer>;
  /** Makes the prepared generation current, in one synchronous step. It is waited for only where a module that was replaced in
   *  place can't be made use of after all, and what imports it is evaluated again.
   *  Errors: what a callback of `import.meta.hot.accept` threw, or a state's migration; nothing has changed then. */
  commit(generation: number, options: { provisional: boolean }): Promise<void>;
  abort(generation: number): void;
  rollback(generation: number): void;
  /** The current generation has passed; resolves when the one before has ended. */
  prove(generation: number, drainTimeoutMs: number): Promise<void>;
  checkHealth(health: HealthCheck): Promise<void>;
  /** The process will be asked to end: from now on its code may. */
  leave(): void;
  /** Resolves when no request is in flight, or at the deadline. */
  quiesce(timeoutMs: number): Promise<boolean>;
  current(): GenerationScope | null;
  /** The namespace of the current generation's entry. */
  namespace(): object | null;
  /** Older generations that are still there, and what keeps them. */
  retained(): readonly RetainedGeneration[];
  /** How many of these have retired, or are about to. What is only not collected yet does not count: where it could be more than
   *  `limit`, memory is collected first. */
  countRetained(limit: number): Promise<number>;
  /** The trees that code of this process may still read from. */
  roots(): readonly string[];
  /** Ends every generation at once, and lets the process be as it was. */
  close(): Promise<void>;
}

/** Makes the generations of this process, none loaded yet; servers are adopted from now on. */
export function createGenerations(options: GenerationsOptions): Generations {
  return new ProcessGenerations(options);
}

interface Preparing {
  readonly generation: Generation;
  readonly options: PrepareOptions;
  /** What its code threw while nobody waited for it. */
  fault: Error | null;
  fail(error: Error): void;
}

class ProcessGenerations implements Generations {
  readonly servers: ServerAdoption;
  readonly hotEvents = createHotEvents((act) =>
    this.#current === null ? act() : runInScope(this.#current.scope, act),
  );
  readonly #options: GenerationsOptions;
  readonly states: StateRegistry = createStateRegistry({ modulesOf: (scope) => this.#originsOf(scope) });
  readonly #webSockets = createWebSocketRegistry({ current: () => this.#current?.scope ?? null });
  readonly #retirement: Retirement;
  readonly #restores: readonly (() => void)[];
  /** Modules that said, by `import.meta.hot.invalidate`, that they can't be replaced in place. */
  readonly #invalidated = new Map<string, { readonly isCurrent: boolean }>();
  #isNotifying = false;
  /** What was invalidated is being evaluated again. */
  #reevaluation: Promise<void> | null = null;
  #preparing: Preparing | null = null;
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
    carryKinds().set(WEB_SOCKET_KIND, createWebSocketKind(this.#webSockets));
    this.#restores = [
      () => {
        this.#webSockets.dispose();
        carryKinds().delete(WEB_SOCKET_KIND);
      },
      bridgeNativeLoads((file) => this.#moduleAt(file)),
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
    if (this.#reevaluation !== null) await this.#reevaluation;
    return this.#prepare(options);
  }

  async #prepare(options: PrepareOptions): Promise<PrepareAnswer> {
    if (this.#preparing !== null)
      throw invalid(`Generation ${this.#preparing.generation.scope.generation} is being prepared`);
    const startedAt = performance.now();
    const refused = new Set([...(options.refused ?? []), ...this.#invalidated.keys()]);
    this.#invalidated.clear();
    const failed = Promise.withResolvers<never>();
    failed.promise.catch(() => undefined);
    const generation = this.#create(options, refused);
    this.#preparing = { generation, options: { ...options, refused }, fault: null, fail: failed.reject };
    this.servers.inherit(
      generation.scope,
      (origin) => origin !== undefined && sharesOrigin(generation, origin),
    );
    try {
      await Promise.race([failed.promise, evaluateGeneration(generation)]);
      const listening = await Promise.race([failed.promise, this.#becomeReady(generation, options)]);
      if (this.#invalidated.size > 0) return await this.prepareAgain();
      const reevaluated = [...generation.graph.changed];
      return { prepareMs: performance.now() - startedAt, reevaluated, listening };
    } catch (error) {
      throw this.#dropFailed(generation, error);
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

  /** What failed, told with the module that did. */
  #dropFailed(generation: Generation, error: unknown): unknown {
    // It was aborted meanwhile.
    if (this.#preparing?.generation !== generation) return error;
    const module = generation.graph.failedModule();
    this.abort(generation.scope.generation);
    const { message, stack } = toErrorReport(error);
    this.hotEvents.emit('vite:error', { type: 'error', err: { message, stack } });
    if (module === null || error instanceof MidflightError) return error;
    return Object.assign(toWorkerError({ ...toErrorReport(error), module }), { cause: error });
  }

  /** With what has been invalidated since. */
  async prepareAgain(): Promise<PrepareAnswer> {
    const preparing = this.#preparing;
    if (preparing === null) throw invalid('Nothing is being prepared');
    this.#drop(preparing.generation.scope.generation);
    return this.#prepare(preparing.options);
  }

  readonly #statusesOf = (life: ModuleLife): GenerationStatus[] =>
    this.#all()
      .filter(({ lives }) => lives.has(life))
      .map(({ scope }) => scope.status);

  /** What runs outside of all generations, as an embedder's call does, is answered in the current one. */
  readonly #runningGraph = (): ModuleGraph | undefined =>
    this.#graphOf(currentScope()) ?? this.#current?.graph;

  readonly #onInvalidate = (path: string, message: string | undefined, isCurrent: boolean): void => {
    // It is being evaluated with its importers already.
    if (this.#preparing?.options.refused?.has(path) === true) return;
    this.#invalidated.set(path, { isCurrent });
    this.hotEvents.emit('vite:invalidate', { path, message, firstInvalidatedBy: path });
    // While one is being prepared or committed, that one takes it in.
    if (this.#preparing === null && !this.#isNotifying) this.#evaluateInvalidated();
  };

  /** The current generation once more, with all that imports what was invalidated. */
  #evaluateInvalidated(): void {
    const current = this.#current;
    if (current === null) return;
    const { generation } = current.scope;
    const provisional = current !== this.#proved;
    const { release } = current;
    const reevaluation = this.#prepare({
      release,
      generation,
      ready: 'load',
      readyTimeoutMs: 0,
      health: null,
    })
      .then(() => this.commit(generation, { provisional }))
      .catch((error: unknown) => console.error('What was invalidated could not be evaluated again:', error))
      .finally(() => {
        if (this.#reevaluation === reevaluation) this.#reevaluation = null;
      });
    this.#reevaluation = reevaluation;
  }

  async #becomeReady(
    { scope }: Generation,
    { ready, readyTimeoutMs, health }: PrepareOptions,
  ): Promise<string[]> {
    if (ready === 'load') return [];
    const result = await this.servers.whenListening(scope, { timeoutMs: readyTimeoutMs });
    if (result.status !== 'listening') {
      throw new MidflightError('ERR_MIDFLIGHT_WORKER_NOT_READY', [readyTimeoutMs, 'no server of it listens']);
    }
    if (health !== null) await this.#probe(scope, health);
    else if (this.#current === null) await this.servers.warmUp(scope);
    return result.listening.map(toAddressKey);
  }

  async commit(number: number, options: { provisional: boolean }): Promise<void> {
    const preparing = this.#preparing;
    if (preparing === null || preparing.generation.scope.generation !== number)
      throw invalid(`Generation ${number} is not prepared`);
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
      if (before !== null) this.#notify(next, before);
    } catch (error) {
      this.#comeBack(before);
      this.abort(number);
      throw error;
    }
    if (this.#invalidated.size > 0) {
      this.#comeBack(before);
      await this.prepareAgain();
      return this.commit(number, options);
    }
    this.#preparing = null;
    this.#moveWebSockets();
    this.#settleCommitted(next, before, options.provisional);
    if (before !== null) this.hotEvents.emit('vite:afterUpdate', payload);
  }

  #settleCommitted(next: Generation, before: Generation | null, provisional: boolean): void {
    if (before !== null && before !== this.#proved) void this.#retirement.retire(before, RETIRE_TIMEOUT_MS);
    if (provisional && this.#proved !== null) return;
    const proved = this.#proved;
    this.#proved = next;
    this.states.settle();
    if (proved !== null) void this.#retirement.retire(proved, RETIRE_TIMEOUT_MS);
  }

  #moveWebSockets(): void {
    moveWebSockets(this.#webSockets, (socket) => this.servers.rekeep(socket));
  }

  #notify(next: Generation, before: Generation): void {
    this.#isNotifying = true;
    try {
      notifyAccepted(next, before);
    } finally {
      this.#isNotifying = false;
    }
  }

  /** Undoes a commit that did not come to its end. */
  #comeBack(before: Generation | null): void {
    if (before === null) return;
    this.states.goBack(before.scope);
    if (this.#current !== before) this.#point(before);
  }

  abort(number: number): void {
    if (!this.#drop(number)) return;
    for (const [path, { isCurrent }] of this.#invalidated) if (!isCurrent) this.#invalidated.delete(path);
    // It would have been taken in.
    if (this.#invalidated.size > 0) this.#evaluateInvalidated();
  }

  #drop(number: number): boolean {
    const preparing = this.#preparing;
    if (preparing === null || preparing.generation.scope.generation !== number) return false;
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
    const before = this.#proved;
    this.#proved = this.#current;
    this.states.settle();
    if (before !== null && before !== this.#proved) await this.#retirement.retire(before, drainTimeoutMs);
  }

  async checkHealth(health: HealthCheck): Promise<void> {
    if (this.#current !== null) await this.#probe(this.#current.scope, health);
  }

  leave(): void {
    this.#isLeaving = true;
  }

  async quiesce(timeoutMs: number): Promise<boolean> {
    return this.#current === null || whenQuiet(this.#current.scope, timeoutMs);
  }

  current(): GenerationScope | null {
    return this.#current?.scope ?? null;
  }

  namespace(): object | null {
    const graph = this.#current?.graph;
    return graph?.namespace(graph.entry) ?? null;
  }

  async close(): Promise<void> {
    if (this.#preparing !== null) this.#drop(this.#preparing.generation.scope.generation);
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
    next.graph.adopt();
    this.#retirement.noticeStatus();
  }

  #originsOf(scope: GenerationScope): ModuleOrigin[] {
    const generation = this.#all().find((each) => each.scope === scope);
    return [...(generation?.lives ?? [])].map(({ origin }) => origin);
  }

  #graphOf(scope: GenerationScope | undefined): ModuleGraph | undefined {
    return this.#all().find((generation) => generation.scope === scope)?.graph;
  }

  /** The module that a file is for the code that runs: in its own generation, else in one that is there. */
  #moduleAt(file: string): ModuleInstance | null {
    const own = this.#graphOf(currentScope());
    for (const graph of [
      ...(own === undefined ? [] : [own]),
      ...this.#all().map((generation) => generation.graph),
    ]) {
      const found = graph.moduleAt(file);
      if (found !== null) return found;
    }
    return null;
  }

  #goBack(): boolean {
    const failed = this.#current;
    if (failed === null || this.#proved === null || this.#proved === failed) return false;
    this.#goneBackFrom = failed.scope.generation;
    // What was invalidated in it need not be evaluated again.
    this.#drop(failed.scope.generation);
    this.#invalidated.clear();
    this.states.goBack(this.#proved.scope);
    this.#point(this.#proved);
    this.#moveWebSockets();
    void this.#retirement.retire(failed, RETIRE_TIMEOUT_MS);
    return true;
  }

  /** True when the fault was of code that has not proved itself, and is dealt with. */
  #contain(scope: GenerationScope, error: Error): boolean {
    if (this.#isLeaving) return false;
    if (scope === this.#preparing?.generation.scope) {
      this.#preparing.fault ??= error;
      this.#preparing.fail(error);
      return true;
    }
    // Code that was sent away has no say in how the process ends.
    if (scope.status === 'aborted' || scope.status === 'retired') return true;
    if (scope !== this.#current?.scope || !this.#goBack()) return false;
    this.#options.onRolledBack(scope.generation, error);
    return true;
  }

  async #probe(scope: GenerationScope, health: HealthCheck): Promise<void> {
    const answer = await this.servers.probe(scope, health).catch((error: unknown) => {
      throw new MidflightError('ERR_MIDFLIGHT_HEALTH_FAILED', [health.path, String(error)], { cause: error });
    });
    if (answer.statusCode >= 200 && answer.statusCode < 400) return;
    throw new MidflightError('ERR_MIDFLIGHT_HEALTH_FAILED', [
      health.path,
      `it answered ${answer.statusCode}`,
    ]);
  }
}

function invalid(what: string): MidflightError {
  return new MidflightError('ERR_MIDFLIGHT_INVALID_STATE', [what]);
}
