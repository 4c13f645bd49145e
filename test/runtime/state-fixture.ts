/** Generations for tests of state: code that asks for it, and the steps of a deploy, as generations.ts takes them. */

import { runInScope, type GenerationScope } from '../../src/runtime/generation-scope.ts';
import { runAsModule, type ModuleOrigin } from '../../src/runtime/origin.ts';
import type { EncodedState } from '../../src/runtime/state-entry.ts';
import { createStateRegistry, type StateRegistry, type WantedStates } from '../../src/runtime/state.ts';

export interface Deploys {
  readonly registry: StateRegistry;
  /** A generation that is being prepared; it shares `modules` with those before. */
  prepare(...modules: ModuleOrigin[]): TestGeneration;
  /** Commits, and passes unless it is said to be in probation. */
  commit(generation: TestGeneration, options?: { provisional: boolean }): void;
  goBack(generation: TestGeneration): void;
}

export interface TestGeneration {
  readonly scope: GenerationScope;
  /** Runs as the evaluation of a module. */
  evaluate<Result>(callback: () => Result, module?: ModuleOrigin): Result;
  /** Runs as code that is called later. */
  later<Result>(callback: () => Result): Result;
}

export function toModule(path: string): ModuleOrigin {
  return { kind: 'module', path };
}

/** A fresh registry, and the generations that use it. */
export function createDeploys(): Deploys {
  const modules = new Map<GenerationScope, ModuleOrigin[]>();
  const registry = createStateRegistry({ modulesOf: (scope) => modules.get(scope) ?? [] });
  let current: TestGeneration | null = null;
  let count = 0;
  const point = (next: TestGeneration, before: 'previous' | 'aborted'): void => {
    if (current !== null) current.scope.status = before;
    next.scope.status = 'current';
    current = next;
  };
  return {
    registry,
    prepare(...shared) {
      const scope: GenerationScope = {
        generation: ++count,
        release: `r${count}`,
        status: 'preparing',
        inFlightCount: 0,
      };
      const own = [...shared];
      modules.set(scope, own);
      return {
        scope,
        evaluate(callback, module = toModule('main.js')) {
          own.push(module);
          return runInScope(scope, () => runAsModule(module, callback));
        },
        later: (callback) => runInScope(scope, callback),
      };
    },
    commit(generation, { provisional } = { provisional: false }) {
      registry.commit(generation.scope);
      point(generation, 'previous');
      if (!provisional) registry.settle();
    },
    goBack(generation) {
      registry.goBack(generation.scope);
      point(generation, 'aborted');
    },
  };
}

/** All states of a process, for one that wants them so. */
export function encodeAll(registry: StateRegistry, wanted: WantedStates = new Map()): EncodedState[] {
  return Array.from(registry.encode(wanted), ({ encode }) => encode());
}

/** They will not come once more. */
export const isFinal = { isEarly: false };
