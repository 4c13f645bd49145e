/**
 * Which generation the running code belongs to. Every generation is evaluated, and every request handled, inside the
 * async context of its scope, so that whatever it creates later can be attributed.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import type { ServiceMeter } from './service-meter.ts';

/** `preparing → current → previous → retired`; `preparing → aborted`; a rollback takes `previous → current` and `current → aborted`. */
export type GenerationStatus = 'preparing' | 'current' | 'previous' | 'retired' | 'aborted';

export interface GenerationScope {
  readonly generation: number;
  readonly release: string;
  status: GenerationStatus;
  /** Requests that this generation is answering now. */
  inFlightCount: number;
  /** What ends with the generation, besides what its modules have started. */
  endings?: Set<() => void>;
  /** How it serves, where somebody wants to know. */
  readonly meter?: ServiceMeter;
}

const storage = new AsyncLocalStorage<GenerationScope>();

/** The scope of the code that runs now; undefined outside any generation. */
export function currentScope(): GenerationScope | undefined {
  return storage.getStore();
}

/** Runs `callback` as part of a generation. */
export function runInScope<Result>(scope: GenerationScope, callback: () => Result): Result {
  return storage.run(scope, callback);
}

/** Runs `callback` as part of none. */
export function runOutsideScopes<Result>(callback: () => Result): Result {
  return storage.exit(callback);
}

/** Calls back when the generation ends, at once for one that has; the returned function ends that. */
export function onScopeEnd(scope: GenerationScope, end: () => void): () => void {
  if (scope.status === 'retired' || scope.status === 'aborted') end();
  else (scope.endings ??= new Set()).add(end);
  return () => scope.endings?.delete(end);
}
