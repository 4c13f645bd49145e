/**
 * What the next release takes over from the one before: its modules, where nothing differs by which sources are compiled and
 * resolved, and the names of the files that do differ. Whatever is in doubt is compiled: a build from nothing has the same result.
 */

import { readdirSync } from 'node:fs';
import { hasRequesters } from '../protocol/importers.ts';
import type {
  Inventory,
  Manifest,
  ManifestModule,
  ManifestModules,
  ReleaseContents,
} from '../protocol/manifest.ts';
import { toMapName } from '../protocol/source-map.ts';
import type { TreeInventory } from './release-contents.ts';

export interface ReusableModules {
  readonly modules: ManifestModules;
  readonly compiled: ReleaseContents['compiled'];
  /** The files that may make another module, or lead elsewhere. */
  readonly changes: readonly string[];
}

/** The release that is being made, as far as that is known before it is compiled. */
export interface NextRelease {
  readonly tree: TreeInventory;
  readonly appFolder: string;
  readonly entry: string;
  readonly dependenciesHash: string | null;
  /** The folder of compiled code. */
  readonly store: string;
}

/** Releases that the compiler of this process has made, into the store as it has been since. */
const ownReleases = new WeakSet<Manifest>();

/** From now on its modules may be taken over. */
export function noteBuilt(manifest: Manifest): void {
  ownReleases.add(manifest);
}

/** Whether it is worth looking. */
export function mayBeReused(before: Manifest | null): before is Manifest & { contents: ReleaseContents } {
  return before !== null && ownReleases.has(before) && before.contents !== null;
}

/** Null where all has to be compiled. */
export function findReusable(before: Manifest | null, next: NextRelease): ReusableModules | null {
  if (!mayBeReused(before)) return null;
  const { modules, contents } = before;
  const { files, own } = next.tree;
  const isSamePlace = before.entry === next.entry && (before.appFolder ?? '') === next.appFolder;
  const areSamePackages = before.dependenciesHash === next.dependenciesHash && own === null;
  if (!isSamePlace || !areSamePackages || contents.ownDependenciesHash !== null) return null;
  const differing = findDiffering(contents.files, files);
  if (differing.some((at) => decidesOthers(at, [contents.files, files]))) return null;
  if (!areStored(modules, next.store)) return null;
  // Where any file may be loaded, one that could not be compiled was left out, and may be a module now.
  const mayLoadAny = hasRequesters(modules);
  const mayMatter = (at: string): boolean =>
    mayLoadAny || modules.has(at) || !(at in files) || !(at in contents.files);
  const unsure = [...modules.values()].filter(leadsOutside).map(({ path }) => path);
  const changes = [...differing.filter(mayMatter), ...unsure];
  return { modules, compiled: contents.compiled, changes };
}

function findDiffering(before: Inventory, after: Inventory): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((at) => contentOf(before[at]) !== contentOf(after[at]));
}

function contentOf(entry: Inventory[string] | undefined): string | null {
  if (entry === undefined) return null;
  return 'link' in entry ? `-> ${entry.link}` : entry.hash;
}

/** package.json, tsconfig.json and what that extends; and links, which put files under other names. */
function decidesOthers(at: string, inventories: readonly Inventory[]): boolean {
  return (
    /\.jsonc?$/.test(at) || inventories.some(({ [at]: entry }) => entry !== undefined && 'link' in entry)
  );
}

/** What is found outside of the tree, or nowhere, depends on more than the tree. */
function leadsOutside({ requests }: ManifestModule): boolean {
  return requests.some(
    ({ target }) =>
      target.kind === 'missing' || (target.kind === 'external' && target.path.startsWith('../')),
  );
}

function areStored(modules: ManifestModules, store: string): boolean {
  const names = new Set(readdirSync(store));
  return [...modules.values()].every(
    ({ hash, mapHash }) =>
      names.has(`${hash}.js`) && (mapHash === undefined || names.has(toMapName(mapHash))),
  );
}
