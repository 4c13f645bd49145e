/** What differs between the modules of two releases, and what a swap re-evaluates because of it. */

import {
  differingAssets,
  toImporters,
  type Manifest,
  type ManifestModule,
  type ManifestModules,
} from '../protocol/manifest.ts';

export interface ModuleChange {
  readonly path: string;
  /** `reached`: itself the same, re-evaluated because of what it imports. */
  readonly change: 'added' | 'changed' | 'removed' | 'reached';
  /** For `reached`: the imports from this module down to the one that changed, or an asset that did. */
  readonly because: readonly string[];
  readonly exportsAdded: readonly string[];
  readonly exportsRemoved: readonly string[];
}

/** Every module that differs or is re-evaluated, by path. */
export function compareModules(current: Manifest, next: Manifest): readonly ModuleChange[] {
  const changes = new Map<string, ModuleChange>();
  for (const path of new Set([...Object.keys(current.modules), ...Object.keys(next.modules)])) {
    const change = compareOne(path, current.modules[path], next.modules[path]);
    if (change !== null) changes.set(path, change);
  }
  reachByAssets(changes, current, next);
  spread(changes, next.modules);
  return [...changes.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

function compareOne(path: string, before?: ManifestModule, after?: ManifestModule): ModuleChange | null {
  const old = exportsOf(before);
  const now = exportsOf(after);
  const difference = {
    path,
    because: [],
    exportsAdded: now.filter((name) => !old.includes(name)),
    exportsRemoved: old.filter((name) => !now.includes(name)),
  };
  if (before === undefined) return { change: 'added', ...difference };
  if (after === undefined) return { change: 'removed', ...difference };
  const isSame =
    before.hash === after.hash && JSON.stringify(before.requests) === JSON.stringify(after.requests);
  return isSame ? null : { change: 'changed', ...difference };
}

function exportsOf(module: ManifestModule | undefined): readonly string[] {
  if (module === undefined) return [];
  return [...module.localExports, ...module.indirectExports.map(({ name }) => name)];
}

/** A module that knows where it is would read the old release's files. */
function reachByAssets(changes: Map<string, ModuleChange>, current: Manifest, next: Manifest): void {
  const [asset] = differingAssets(current.assets, next.assets);
  if (asset === undefined) return;
  for (const { path, usesLocation } of Object.values(next.modules)) {
    if (usesLocation && !changes.has(path)) changes.set(path, toReached(path, [asset]));
  }
}

function toReached(path: string, because: readonly string[]): ModuleChange {
  return { path, change: 'reached', because, exportsAdded: [], exportsRemoved: [] };
}

/** Breadth first from what changed to its importers, so that each chain is a shortest one. */
function spread(changes: Map<string, ModuleChange>, modules: ManifestModules): void {
  const importers = toImporters(modules);
  const queue = [...changes.keys()];
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    for (const importer of importers.get(path) ?? []) {
      if (changes.has(importer)) continue;
      changes.set(importer, toReached(importer, [path, ...(changes.get(path)?.because ?? [])]));
      queue.push(importer);
    }
  }
}
