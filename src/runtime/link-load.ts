/** Loading: the code of every module that will be linked is compiled, and what Node loads is loaded, before anything runs. */

import { MidflightError } from '../errors.ts';
import { createPauses, type Pauses } from '../protocol/pauses.ts';
import { checkAttribute } from '../protocol/import-attributes.ts';
import type { ModuleRequest } from '../protocol/manifest.ts';
import { targetKey, type InstanceTarget, type ModuleInstance } from './module-instance.ts';

/** Loads an instance and all that it imports or requires by name.
 *  Errors: ERR_MIDFLIGHT_MODULE_UNRESOLVED, and what a package threw. */
export async function loadClosure(instance: ModuleInstance): Promise<void> {
  await loadFrom(instance, true, { visited: new Set(), pauses: createPauses() });
}

interface Loading {
  readonly visited: Set<ModuleInstance>;
  /** Thousands of modules are compiled in pieces. */
  readonly pauses: Pauses;
}

/** Loads what an ES module imports and was not loaded before it was required, without waiting. */
export function loadClosureNow(instance: ModuleInstance, visited: Set<ModuleInstance> = new Set()): void {
  if (visited.has(instance) || instance.evaluation.status === 'evaluated') return;
  visited.add(instance);
  for (const request of instance.manifest.requests) {
    const { specifier, phase } = request;
    const target = phase === 'static' ? instance.targets.get(targetKey(specifier, phase)) : undefined;
    if (target?.kind === 'module') loadClosureNow(checked(instance, request, target.node), visited);
    else if (target?.kind === 'foreign') target.loadNow();
    else if (target?.kind === 'missing') throw unresolved(instance, specifier, target.reason);
  }
}

/** What is only required need not be there: its error is thrown by the `require`, if that ever comes. */
async function loadFrom(instance: ModuleInstance, isNeeded: boolean, loading: Loading): Promise<void> {
  const { visited, pauses } = loading;
  if (visited.has(instance)) return;
  visited.add(instance);
  if (instance.evaluation.status === 'evaluated') return;
  for (const request of instance.manifest.requests) {
    const { specifier, phase } = request;
    const target = instance.targets.get(targetKey(specifier, phase));
    if (target === undefined || phase === 'dynamic') continue;
    if (target.kind === 'module') {
      const node = isNeeded ? checked(instance, request, target.node) : target.node;
      await loadFrom(node, isNeeded && phase === 'static', loading);
    } else if (phase === 'static') await loadForeign(instance, { specifier, target, isNeeded });
  }
  if (instance.manifest.kind !== 'esm') return;
  await pauses.next();
  instance.graph.compile(instance);
}

function checked(importer: ModuleInstance, request: ModuleRequest, node: ModuleInstance): ModuleInstance {
  const problem = checkAttribute(importer.manifest, request, node.manifest);
  if (problem !== null) throw problem;
  return node;
}

interface ForeignRequest {
  readonly specifier: string;
  readonly target: Exclude<InstanceTarget, { kind: 'module' }>;
  readonly isNeeded: boolean;
}

async function loadForeign(
  instance: ModuleInstance,
  { specifier, target, isNeeded }: ForeignRequest,
): Promise<void> {
  if (target.kind === 'missing') {
    if (!isNeeded) return;
    throw unresolved(instance, specifier, target.reason);
  }
  if (target.namespace !== null) return;
  try {
    await target.load();
  } catch (error) {
    if (isNeeded) throw error;
  }
}

function unresolved({ manifest }: ModuleInstance, specifier: string, reason: string): MidflightError {
  return new MidflightError('ERR_MIDFLIGHT_MODULE_UNRESOLVED', [manifest.path, specifier, reason]);
}
