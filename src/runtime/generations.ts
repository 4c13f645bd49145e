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
  describePins,
  endGeneration,
  evaluateGeneration,
  noticeStatus,
  rootsOf,
  sharesOrigin,
  type Generation,
} from './generation.ts';
import { currentScope, type GenerationScope } from './generation-scope.ts';
import type { LoadedRelease } from './loaded-release.ts';
import type { ModuleGraph } from './module-graph.ts';
import type { ModuleInstance } from './module-instance.ts';
import { bridgeNativeLoads } from './native-bridge.ts';
import { whenQuiet } from './quiet.ts';
import { adoptServers, type ServerAdoption } from './servers/adoption.ts';
import { toAddressKey } from './servers/listen-address.ts';
import type { ListenerSource } from './servers/listener-source.ts';
import { createStateRegistry } from './state.ts';

/** How long work in flight may hold a generation that no longer counts. */
const RETIRE_TIMEOUT_MS = 600_000;

export interface GenerationsOptions {
  readonly source: ListenerSource;
  /** A provisional generation failed and the proved one is current again. */
  onRolledBack(generation: number, error: Error): void;
}

export interface PrepareOptions extends Omit<PrepareMessage, 'release'> {
  readonly release: LoadedRelease;
}

export interface Generations {
  readonly servers: ServerAdoption;
  /** Loads, links, evaluates and checks a release beside the current generation.
   *  Errors: whatever its code threw; nothing has changed then. */
  prepare(options: PrepareOptions): Promise<PrepareAnswer>;
  commit(generation: number, options: { provisional: boolean }): void;
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
  retained(): readonly RetainedGeneration[];
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
  fail(error: Error): void;
}

class ProcessGenerations implements Generations {
  readonly servers: ServerAdoption;
  readonly #options: GenerationsOptions;
  readonly #states = createStateRegistry();
  readonly #retiring = new Set<Generation>();
  readonly #restores: readonly (() => void)[];
  #preparing: Preparing | null = null;
  #isLeaving = false;
  #current: Generation | null = null;
  #proved: Generation | null = null;

  constructor(options: GenerationsOptions) {
    this.#options = options;
    this.servers = adoptServers({ source: options.source });
    this.#restores = [
      bridgeNativeLoads((file) => this.#moduleAt(file)),
      watchFaults({ onFault: (scope, error) => this.#contain(scope, error) }),
      () => this.#states.dispose(),
      () => this.servers.restore(),
    ];
  }

  async prepare(options: PrepareOptions): Promise<PrepareAnswer> {
    if (this.#preparing !== null)
      throw invalid(`Generation ${this.#preparing.generation.scope.generation} is being prepared`);
    const startedAt = performance.now();
    const { release } = options;
    const failed = Promise.withResolvers<never>();
    failed.promise.catch(() => undefined);
    const generation = createGeneration({
      generation: options.generation,
      release,
      previous: this.#current,
      midflightExports: { '': midflight },
      currentGraph: () => this.#graphOf(currentScope()),
    });
    this.#preparing = { generation, fail: failed.reject };
    this.servers.inherit(
      generation.scope,
      (origin) => origin !== undefined && sharesOrigin(generation, origin),
    );
    try {
      await Promise.race([failed.promise, evaluateGeneration(generation)]);
      const listening = await Promise.race([failed.promise, this.#becomeReady(generation, options)]);
      const reevaluated = [...generation.graph.changed];
      return { prepareMs: performance.now() - startedAt, reevaluated, listening };
    } catch (error) {
      const module = generation.graph.failedModule();
      this.abort(options.generation);
      if (module === null || error instanceof MidflightError) throw error;
      throw Object.assign(toWorkerError({ ...toErrorReport(error), module }), { cause: error });
    }
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
    return result.listening.map(toAddressKey);
  }

  commit(number: number, { provisional }: { provisional: boolean }): void {
    const next = this.#preparing?.generation;
    if (next === undefined || next.scope.generation !== number)
      throw invalid(`Generation ${number} is not prepared`);
    const before = this.#current;
    this.#states.commit(next.scope);
    try {
      this.#point(next);
    } catch (error) {
      if (before !== null) this.#states.goBack(before.scope);
      this.abort(number);
      throw error;
    }
    this.#preparing = null;
    if (before !== null && before !== this.#proved) this.#retire(before);
    if (provisional && this.#proved !== null) return;
    const proved = this.#proved;
    this.#proved = next;
    this.#states.settle();
    if (proved !== null) this.#retire(proved);
  }

  abort(number: number): void {
    const generation = this.#preparing?.generation;
    if (generation === undefined || generation.scope.generation !== number) return;
    this.#preparing = null;
    endGeneration(generation, 'aborted');
    this.#states.abort(generation.scope);
    this.servers.abort(generation.scope);
  }

  rollback(number: number): void {
    if (this.#current?.scope.generation !== number || !this.#goBack()) {
      throw invalid(`Generation ${number} has none before it to go back to`);
    }
  }

  async prove(number: number, drainTimeoutMs: number): Promise<void> {
    if (this.#current?.scope.generation !== number) return;
    const before = this.#proved;
    this.#proved = this.#current;
    this.#states.settle();
    if (before !== null && before !== this.#proved) await this.#settle(before, drainTimeoutMs);
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
    if (this.#preparing !== null) this.abort(this.#preparing.generation.scope.generation);
    await this.servers.stopAccepting();
    for (const generation of this.#all()) {
      endGeneration(generation, 'retired');
      this.servers.retire(generation.scope);
    }
    this.#current = this.#proved = null;
    for (const restore of this.#restores) restore();
  }

  retained(): readonly RetainedGeneration[] {
    const kept = new Set(this.#retiring);
    if (this.#proved !== null && this.#proved !== this.#current) kept.add(this.#proved);
    return [...kept].map((generation) => ({
      generation: generation.scope.generation,
      release: generation.scope.release,
      pinnedBy: describePins(generation),
    }));
  }

  roots(): readonly string[] {
    return [...new Set(this.#all().flatMap(rootsOf))];
  }

  #all(): Generation[] {
    const generations = [this.#current, this.#preparing?.generation, this.#proved, ...this.#retiring];
    return generations.filter((generation) => generation !== null && generation !== undefined);
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
    if (before !== null) noticeStatus(before);
    noticeStatus(next);
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
    this.#states.goBack(this.#proved.scope);
    this.#point(this.#proved);
    this.#retire(failed);
    return true;
  }

  /** True when the fault was of code that has not proved itself, and is dealt with. */
  #contain(scope: GenerationScope, error: Error): boolean {
    if (this.#isLeaving) return false;
    if (scope === this.#preparing?.generation.scope) {
      this.#preparing.fail(error);
      return true;
    }
    // Code that was sent away has no say in how the process ends.
    if (scope.status === 'aborted' || scope.status === 'retired') return true;
    if (scope !== this.#current?.scope || !this.#goBack()) return false;
    this.#options.onRolledBack(scope.generation, error);
    return true;
  }

  #retire(generation: Generation): void {
    void this.#settle(generation, RETIRE_TIMEOUT_MS);
  }

  /** Ends a generation once its requests have ended. */
  async #settle(generation: Generation, timeoutMs: number): Promise<void> {
    this.#retiring.add(generation);
    await whenQuiet(generation.scope, timeoutMs);
    endGeneration(generation, 'retired');
    this.servers.retire(generation.scope);
    this.#retiring.delete(generation);
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
