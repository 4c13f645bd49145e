/** Evaluation of ES modules in the order of ECMA-262 16.2.1.6.1.3, with top-level await. Names and steps follow it. */

import { evaluateLeaf } from './evaluate-commonjs.ts';
import { refreshNamespace } from './link-namespace.ts';
import { runAsOwn } from './run-as-own.ts';
import { staticDependencies, type ModuleInstance } from './module-instance.ts';

/** Evaluates a linked instance and all that it imports, once; later calls get the same promise. Rejects with what was thrown. */
export function evaluate(instance: ModuleInstance): Promise<void> {
  if (instance.manifest.kind !== 'esm') return evaluateOther(instance);
  const root = instance.evaluation.cycleRoot ?? instance;
  const { evaluation } = root;
  if (evaluation.capability !== null) return evaluation.capability.promise;
  const capability = Promise.withResolvers<void>();
  // Whoever evaluates gets the rejection; there need not be a second caller.
  capability.promise.catch(() => {});
  evaluation.capability = capability;
  const stack: ModuleInstance[] = [];
  try {
    evaluateFrom(root, stack, 0);
    if (typeof evaluation.asyncOrder !== 'number') capability.resolve();
  } catch (error) {
    for (const member of stack) end(member, { value: error });
    capability.reject(error);
  }
  return capability.promise;
}

/** True when evaluation would have to wait: a module that is not evaluated yet has top-level await. */
export function needsAwait(instance: ModuleInstance, visited: Set<ModuleInstance> = new Set()): boolean {
  if (visited.has(instance) || instance.evaluation.status === 'evaluated') return false;
  visited.add(instance);
  if (instance.manifest.hasTopLevelAwait) return true;
  return staticDependencies(instance).some((dependency) => needsAwait(dependency, visited));
}

async function evaluateOther(instance: ModuleInstance): Promise<void> {
  evaluateLeaf(instance);
}

/** A total order over all graphs, by which modules that have waited are run. */
let asyncOrderNext = 0;

// InnerModuleEvaluation
function evaluateFrom(instance: ModuleInstance, stack: ModuleInstance[], start: number): number {
  const { evaluation, manifest } = instance;
  if (manifest.kind !== 'esm') {
    evaluateLeaf(instance);
    return start;
  }
  if (evaluation.error !== null) throw evaluation.error.value;
  if (evaluation.status !== 'linked') return start;
  evaluation.status = 'evaluating';
  evaluation.dfsIndex = start;
  evaluation.dfsAncestorIndex = start;
  stack.push(instance);
  let index = start + 1;
  for (const dependency of staticDependencies(instance)) {
    index = evaluateFrom(dependency, stack, index);
    if (dependency.manifest.kind === 'esm') dependOn(instance, dependency);
  }
  startExecution(instance);
  if (evaluation.dfsAncestorIndex === evaluation.dfsIndex) closeComponent(instance, stack);
  return index;
}

function dependOn(instance: ModuleInstance, dependency: ModuleInstance): void {
  const { evaluation } = instance;
  let awaited = dependency;
  if (dependency.evaluation.status === 'evaluating') {
    evaluation.dfsAncestorIndex = Math.min(
      evaluation.dfsAncestorIndex,
      dependency.evaluation.dfsAncestorIndex,
    );
  } else {
    awaited = dependency.evaluation.cycleRoot ?? dependency;
    if (awaited.evaluation.error !== null) throw awaited.evaluation.error.value;
  }
  if (typeof awaited.evaluation.asyncOrder !== 'number') return;
  evaluation.pendingAsyncCount += 1;
  awaited.evaluation.asyncParents.push(instance);
}

function startExecution(instance: ModuleInstance): void {
  const { evaluation, manifest } = instance;
  if (evaluation.pendingAsyncCount === 0 && !manifest.hasTopLevelAwait) {
    execute(instance);
    return;
  }
  evaluation.asyncOrder = asyncOrderNext;
  asyncOrderNext += 1;
  if (evaluation.pendingAsyncCount === 0) executeAsync(instance);
}

function closeComponent(root: ModuleInstance, stack: ModuleInstance[]): void {
  for (const member of stack.splice(stack.indexOf(root))) {
    const { evaluation } = member;
    evaluation.status = evaluation.asyncOrder === 'unset' ? 'evaluated' : 'evaluating-async';
    evaluation.cycleRoot = root;
    refreshNamespace(member);
  }
}

function execute(instance: ModuleInstance): void {
  const { generator } = instance.evaluation;
  instance.evaluation.generator = null;
  void runCode(instance, () => generator?.next());
}

function runCode<Result>(instance: ModuleInstance, run: () => Result): Result {
  const { slot } = instance;
  return runAsOwn(instance, () => (slot === null ? run() : slot.execute(instance, run)));
}

function executeAsync(instance: ModuleInstance): void {
  const { evaluation } = instance;
  const generator = evaluation.generator as AsyncIterator<unknown>;
  evaluation.generator = null;
  runCode(instance, () => generator.next()).then(
    () => onFulfilled(instance),
    (error: unknown) => onRejected(instance, error),
  );
}

// AsyncModuleExecutionFulfilled
function onFulfilled(instance: ModuleInstance): void {
  if (instance.evaluation.status === 'evaluated') return;
  end(instance, null);
  const ready: ModuleInstance[] = [];
  gatherReady(instance, ready);
  for (const parent of ready.toSorted((left, right) => orderOf(left) - orderOf(right))) {
    if (parent.evaluation.status === 'evaluated') continue;
    if (parent.manifest.hasTopLevelAwait) executeAsync(parent);
    else executeWaited(parent);
  }
  // What waited is newer than what it waited for, which may outlive it.
  instance.evaluation.asyncParents = [];
}

function executeWaited(instance: ModuleInstance): void {
  try {
    execute(instance);
  } catch (error) {
    onRejected(instance, error);
    return;
  }
  end(instance, null);
  instance.evaluation.asyncParents = [];
}

// GatherAvailableAncestors
function gatherReady({ evaluation }: ModuleInstance, ready: ModuleInstance[]): void {
  for (const parent of evaluation.asyncParents) {
    const root = parent.evaluation.cycleRoot ?? parent;
    if (ready.includes(parent) || root.evaluation.error !== null) continue;
    parent.evaluation.pendingAsyncCount -= 1;
    if (parent.evaluation.pendingAsyncCount > 0) continue;
    ready.push(parent);
    if (!parent.manifest.hasTopLevelAwait) gatherReady(parent, ready);
  }
}

// AsyncModuleExecutionRejected
function onRejected(instance: ModuleInstance, error: unknown): void {
  const { evaluation } = instance;
  if (evaluation.status === 'evaluated') return;
  const { asyncParents } = evaluation;
  evaluation.asyncParents = [];
  end(instance, { value: error });
  for (const parent of asyncParents) onRejected(parent, error);
}

/** The last step of a module: what waited for it hears of it, and it holds on to nothing. */
function end(instance: ModuleInstance, error: { readonly value: unknown } | null): void {
  const { evaluation } = instance;
  if (error !== null) instance.graph.failures.add(instance.manifest.path);
  evaluation.status = 'evaluated';
  evaluation.error = error;
  evaluation.generator = null;
  if (evaluation.asyncOrder !== 'unset') evaluation.asyncOrder = 'done';
  refreshNamespace(instance);
  if (error === null) evaluation.capability?.resolve();
  else evaluation.capability?.reject(error.value);
}

function orderOf({ evaluation }: ModuleInstance): number {
  return typeof evaluation.asyncOrder === 'number' ? evaluation.asyncOrder : -1;
}
