/** The instances that a graph does not share with the one before: how they are made, and where their imports lead. */

import { MidflightError } from '../errors.ts';
import type { ManifestModule, ManifestModules, ModuleRequest } from '../protocol/manifest.ts';
import { acceptsItself } from '../protocol/replace-in-place.ts';
import type { ChunkedMap } from './chunked-map.ts';
import { createForeign, type ForeignModule } from './externals.ts';
import type { ModuleGraph } from './module-graph.ts';
import { createInstance, targetKey, type InstanceTarget, type ModuleInstance } from './module-instance.ts';
import { createModuleSlot } from './module-slot.ts';

interface Creation {
  readonly root: string;
  readonly graph: ModuleGraph;
  readonly modules: ManifestModules;
  readonly previous: ModuleGraph | undefined;
}

/** The instances that differ from those of the graph before; undefined for what is gone. */
export function createOwn({
  root,
  graph,
  modules,
  previous,
}: Creation): Map<string, ModuleInstance | undefined> {
  const own = new Map<string, ModuleInstance | undefined>();
  for (const at of graph.changed) {
    const manifest = modules.get(at);
    const before = previous?.instances.get(at);
    if (manifest !== undefined) own.set(at, createNext({ root, manifest, graph, before }));
  }
  if (previous === undefined) return own;
  for (const at of modules.changedSince(previous.modules)) if (!modules.has(at)) own.set(at, undefined);
  return own;
}

interface Next {
  readonly root: string;
  readonly manifest: ManifestModule;
  readonly graph: ModuleGraph;
  readonly before: ModuleInstance | undefined;
}

function createNext({ root, manifest, graph, before }: Next): ModuleInstance {
  const compiled = before?.manifest.hash === manifest.hash ? before.compiled : null;
  const isInPlace = graph.propagation.inPlace.has(manifest.path);
  const isRunning = (instance: ModuleInstance): boolean => instance.graph.isRunning();
  if (isInPlace && before?.slot === null) {
    before.slot = createModuleSlot(isRunning);
    before.slot.switchTo(before);
  }
  const slot = isInPlace ? before?.slot : acceptsItself(manifest.hot) ? createModuleSlot(isRunning) : null;
  if (slot) graph.lineage.slotted.add(manifest.path);
  return createInstance({ root, manifest, graph, compiled, slot: slot ?? null });
}

interface ForeignPlace {
  readonly root: string;
  readonly midflightExports: Readonly<Record<string, object>>;
}

/** Leads the imports of a graph's own instances to what they mean. */
export function fillAllTargets(graph: ModuleGraph, place: ForeignPlace): void {
  const foreigns = new Map<string, ForeignModule>();
  const toForeign = (target: ForeignModule['target']): ForeignModule => {
    const key = JSON.stringify(target);
    const foreign = foreigns.get(key) ?? createForeign(target, place);
    foreigns.set(key, foreign);
    return foreign;
  };
  for (const instance of ownOf(graph)) fillTargets(instance, graph.instances, toForeign);
}

function fillTargets(
  { manifest, targets }: ModuleInstance,
  instances: ChunkedMap<ModuleInstance>,
  toForeign: (target: ForeignModule['target']) => ForeignModule,
): void {
  for (const { specifier, phase, target } of manifest.requests) {
    targets.set(targetKey(specifier, phase), toTarget(target, instances, toForeign));
  }
}

function toTarget(
  target: ModuleRequest['target'],
  instances: ChunkedMap<ModuleInstance>,
  toForeign: (target: ForeignModule['target']) => ForeignModule,
): InstanceTarget {
  if (target.kind === 'missing') return target;
  if (target.kind !== 'module') return toForeign(target);
  const node = instances.get(target.path);
  return node === undefined
    ? { kind: 'missing', reason: `${target.path} is not in the release` }
    : { kind: 'module', node };
}

/** The instances that the graph does not share with the one before. */
export function ownOf({ changed, instances }: ModuleGraph): ModuleInstance[] {
  return [...changed].map((at) => instanceAt(instances, at));
}

/** Errors: ERR_MIDFLIGHT_ENTRY_MISSING, as only the entry can be missing. */
export function instanceAt(instances: ChunkedMap<ModuleInstance>, at: string): ModuleInstance {
  const instance = instances.get(at);
  if (instance === undefined) throw new MidflightError('ERR_MIDFLIGHT_ENTRY_MISSING', [at]);
  return instance;
}
