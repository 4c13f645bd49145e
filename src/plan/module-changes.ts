/** What differs between the modules of two releases, and what a swap re-evaluates because of it. */

import { toImporters, type Importers } from '../protocol/importers.ts';
import {
  differingAssets,
  type Manifest,
  type ManifestModule,
  type RequestTarget,
} from '../protocol/manifest.ts';
import { propagate } from '../protocol/propagate.ts';

export interface ModuleChange {
  readonly path: string;
  /** `reached`: itself the same, re-evaluated because of what it imports. */
  readonly change: 'added' | 'changed' | 'removed' | 'reached';
  /** What differs, in one sentence. */
  readonly why: string;
  /** For `reached`: the imports from this module down to the one that changed, or an asset that did. */
  readonly because: readonly string[];
  /** True when it is replaced in place: what imports it and accepts that is not evaluated again because of it. */
  readonly isInPlace: boolean;
  /** Why it is not replaced in place though it accepts itself; null where it does not, or is. */
  readonly refusal: string | null;
  readonly exportsAdded: readonly string[];
  readonly exportsRemoved: readonly string[];
  /** Exports with their types as the text states them, where they are known and differ. */
  readonly exportTypes: readonly ExportTypeChange[];
}

export interface ExportTypeChange {
  readonly name: string;
  /** Null where there is no such export, or its type is inferred. */
  readonly before: string | null;
  readonly after: string | null;
}

/** By module, the stated types of its exports, before and after. */
export type ExportTypes = ReadonlyMap<string, { readonly before: TypesByName; readonly after: TypesByName }>;
export type TypesByName = ReadonlyMap<string, string>;

/** Of most changes. */
export const PLAIN_WHY = 'its code differs';

const noTypes: ExportTypes = new Map();

/** Every module that differs or is re-evaluated, by path. */
export function compareModules(
  current: Manifest,
  next: Manifest,
  exportTypes: ExportTypes = noTypes,
): readonly ModuleChange[] {
  const changes = new Map<string, ModuleChange>();
  const importers = toImporters(next.modules);
  for (const path of next.modules.changedSince(current.modules)) {
    const [before, after] = [current.modules.get(path), next.modules.get(path)];
    const change = compareOne({ path, before, after, importers });
    if (change !== null) changes.set(path, withTypes(change, exportTypes));
  }
  reachByAssets(changes, current, next);
  reachByImports(changes, current, next);
  return [...changes.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

interface Pair {
  readonly path: string;
  readonly before: ManifestModule | undefined;
  readonly after: ManifestModule | undefined;
  readonly importers: Importers;
}

function compareOne({ path, before, after, importers }: Pair): ModuleChange | null {
  const old = exportsOf(before);
  const now = exportsOf(after);
  const difference = {
    path,
    ...plain,
    exportsAdded: now.filter((name) => !old.includes(name)),
    exportsRemoved: old.filter((name) => !now.includes(name)),
  };
  if (before === undefined) {
    const [importer] = importers(path);
    const why = importer === undefined ? 'nothing imports it by name' : `${importer} imports it`;
    return { change: 'added', ...difference, why };
  }
  if (after === undefined) return { change: 'removed', ...difference, why: 'nothing leads to it any more' };
  const why = before.hash === after.hash ? whyRequests(before, after) : PLAIN_WHY;
  return why === null ? null : { change: 'changed', ...difference, why };
}

/** The same code, with an import that leads elsewhere; null where none does. */
function whyRequests(before: ManifestModule, after: ManifestModule): string | null {
  if (JSON.stringify(before.requests) === JSON.stringify(after.requests)) return null;
  const moved = after.requests.find(
    (request, index) => JSON.stringify(request) !== JSON.stringify(before.requests[index]),
  );
  return moved === undefined
    ? 'its imports differ'
    : `"${moved.specifier}" leads to ${toTargetText(moved.target)}`;
}

function toTargetText(target: RequestTarget): string {
  if (target.kind === 'module' || target.kind === 'external') return target.path;
  if (target.kind === 'builtin') return target.name;
  return target.kind === 'midflight' ? 'midflight' : 'nothing';
}

function withTypes(change: ModuleChange, exportTypes: ExportTypes): ModuleChange {
  const types = exportTypes.get(change.path);
  if (types === undefined) return change;
  const names = [...new Set([...types.before.keys(), ...types.after.keys()])];
  const differing = names
    .map((name) => ({ name, before: types.before.get(name) ?? null, after: types.after.get(name) ?? null }))
    .filter(({ name, before, after }) => {
      const isThroughout = !change.exportsAdded.includes(name) && !change.exportsRemoved.includes(name);
      // An inferred type may be the same.
      return before !== after && !(isThroughout && (before === null || after === null));
    });
  return { ...change, exportTypes: differing };
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

const plain = {
  because: [],
  isInPlace: false,
  refusal: null,
  exportsAdded: [],
  exportsRemoved: [],
  exportTypes: [],
} as const;

function toReached(path: string, because: readonly string[]): ModuleChange {
  const [cause = ''] = because;
  return { path, change: 'reached', ...plain, why: `because of ${cause}`, because };
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
