/**
 * One generation that is being prepared, until it is committed or aborted. Owns what its code threw while nobody waited for it.
 *
 *   event                      | outcome
 *   evaluated, ready, healthy  | run() resolves
 *   its code throws, or it is  | run() rejects, at once
 *   late, unready, ill, aborted|
 *   a fault after that         | `fault`: it is not committed
 */

import { MidflightError } from '../errors.ts';
import { toErrorReport, toWorkerError, type PrepareOptions as PrepareMessage } from '../protocol/messages.ts';
import { evaluateGeneration, toPatient, type Generation } from './generation.ts';
import { becomeHealthy } from './health.ts';
import type { LoadedRelease } from './loaded-release.ts';
import { toAddressKey } from './servers/listen-address.ts';
import type { ServerAdoption } from './servers/server-adoption.ts';

export interface PrepareOptions extends Omit<PrepareMessage, 'release'> {
  readonly release: LoadedRelease;
  /** Modules that can't be replaced in place this time. */
  readonly refused?: ReadonlySet<string>;
}

export class Preparation {
  readonly generation: Generation;
  readonly options: PrepareOptions;
  readonly #failed = Promise.withResolvers<never>();
  #fault: Error | null = null;

  constructor(generation: Generation, options: PrepareOptions) {
    this.generation = generation;
    this.options = options;
    this.#failed.promise.catch(() => undefined);
  }

  get number(): number {
    return this.generation.scope.generation;
  }

  /** What its code threw while nobody waited for it. */
  get fault(): Error | null {
    return this.#fault;
  }

  /** Evaluates it and waits until it is ready. Resolves with what it listens on. */
  async run(servers: ServerAdoption): Promise<string[]> {
    const { promise: failed } = this.#failed;
    await Promise.race([failed, this.#evaluate()]);
    return Promise.race([failed, this.#becomeReady(servers)]);
  }

  /** Ends `run`, where it has not ended. */
  fail(error: Error): void {
    this.#failed.reject(error);
  }

  noteFault(error: Error): void {
    this.#fault ??= error;
    this.fail(error);
  }

  /** What failed, told with the module that did. */
  explain(error: unknown): unknown {
    const module = this.generation.graph.failedModule();
    if (module === null || error instanceof MidflightError) return error;
    return Object.assign(toWorkerError({ ...toErrorReport(error), module }), { cause: error });
  }

  async #evaluate(): Promise<void> {
    const { evaluateTimeoutMs } = this.options;
    if (evaluateTimeoutMs === undefined) return evaluateGeneration(this.generation);
    const onLate = (): void => {
      const module = this.generation.graph.waitingModule() ?? 'a module of it';
      const what = `${module} waits at its top-level await; have it end that`;
      this.fail(new MidflightError('ERR_MIDFLIGHT_WORKER_NOT_READY', [evaluateTimeoutMs, what]));
    };
    const timer = setTimeout(onLate, evaluateTimeoutMs);
    return evaluateGeneration(this.generation).finally(() => clearTimeout(timer));
  }

  async #becomeReady(servers: ServerAdoption): Promise<string[]> {
    const { ready, readyTimeoutMs, health } = this.options;
    const { scope } = this.generation;
    const patient = toPatient(this.generation);
    if (ready === 'load') {
      if (health !== null) await becomeHealthy(servers, patient, { ...health, path: null, tcp: null });
      return [];
    }
    const result = await servers.whenListening(scope, { timeoutMs: readyTimeoutMs });
    if (result.status !== 'listening') {
      const what =
        'no server of it listens; listen on a port, set "ready": "load" for an app that serves nothing';
      throw new MidflightError('ERR_MIDFLIGHT_WORKER_NOT_READY', [readyTimeoutMs, what]);
    }
    if (health !== null) await becomeHealthy(servers, patient, health);
    if (health?.path == null) await servers.warmUp(scope);
    return result.listening.map(toAddressKey);
  }
}
