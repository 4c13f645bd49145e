/** What differs between the modules of two releases, and what a swap re-evaluates because of it. */

import { toImporters } from '../protocol/importers.ts';
import { differingAssets, type Manifest, type ManifestModule } from '../protocol/manifest.ts';
import { propagate } from '../protocol/propagate.ts';

export interface ModuleChange {
  readonly path: string;
  /** `reached`: itself the same, re-evaluated because of what it imports. */
  readonly change: 'added' | 'changed' | 'removed' | 'reached';
  /** For `reached`: the imports from this module down to the one that changed, or an asset that did. */
  readonly because: readonly string[];
  /** True when it is replaced in place: what imports it and accepts that is not evaluated again because of it. */
  readonly isInPlace: boolean;
  /** Why it is not replaced in place though it accepts itself; null where it does not, or is. */
  readonly refusal: string | null;
  readonly exportsAdded: readonly string[];
  readonly exportsRemoved: readonly string[];
}

/** Every module that differs or is re-evaluated, by path. */
export function compareModules(current: Manifest, next: Manifest): readonly ModuleChange[] {
  const changes = new Map<string, ModuleChange>();
  for (const path of next.modules.changedSince(current.modules)) {
    const change = compareOne(path, current.modules.get(path), next.modules.get(path));
    if (change !== null) changes.set(path, change);
  }
  reachByAssets(changes, current, next);
  reachByImports(changes, current, next);
  return [...changes.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

function compareOne(path: string, before?: ManifestModule, after?: ManifestModule): ModuleChange | null {
  const old = exportsOf(before);
  const now = exportsOf(after);
  const difference = {
    path,
    ...plain,
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
  for (const { path, usesLocation } of next.modules.values()) {
    if (usesLocation && !changes.has(path)) changes.set(path, toReached(path, [asset]));
  }
}

const plain = { because: [], isInPlace: false, refusal: null } as const;

function toReached(path: string, because: readonly string[]): ModuleChange {
  return { path, change: 'reached', ...plain, because, exportsAdded: [], exportsRemoved: [] };
}

/** From what changed to its importers, up to the boundaries. Breadth first, so that each chain is a shortest one. */
function reachByImports(changes: Map<string, ModuleChange>, current: Manifest, next: Manifest): void {
  const { reevaluated, inPlace, refusals } = propagate({
    before: (path) => current.modules.get(path),
    after: next.modules,
    importers: toImporters(next.modules),
    changed: [...changes.keys()],
  });
  for (const [path, cause] of reevaluated) {
    const chain = cause === null ? [] : [cause, ...(changes.get(cause)?.because ?? [])];
    const change = changes.get(path) ?? toReached(path, chain);
    changes.set(path, { ...change, isInPlace: inPlace.has(path), refusal: refusals.get(path) ?? null });
  }
}
