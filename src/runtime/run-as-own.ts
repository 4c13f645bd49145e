import type { ModuleInstance } from './module-instance.ts';

/** Runs code of a module in the context that its generation gives. */
export function runAsOwn<Result>(instance: ModuleInstance, evaluateCode: () => Result): Result {
  const { run } = instance.graph.contextOf(instance.manifest.path);
  return run === undefined ? evaluateCode() : run(evaluateCode);
}
