/** Takes a published version away, and what only it has in the store. Hosts that run it go on, and can't come back to it. */

import { mkdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import semver from 'semver';
import { MidflightError } from '../../errors.ts';
import { readManifest } from './plugin-manifest.ts';
import { readPointer, writePointer } from './pointer.ts';
import {
  listNames,
  listVersions,
  requirePublishedVersion,
  toLabelOf,
  toPluginFolder,
  toVersionPlace,
  type Registry,
  type VersionName,
} from './registry.ts';
import { takeRegistryTurn } from './registry-turn.ts';
import { sweepStore } from './sweep-store.ts';
import { withoutVersion } from './use-version.ts';

export interface Unpublished extends VersionName {
  /** The version in use now; null where none is. */
  readonly inUse: string | null;
  readonly removedFileCount: number;
}

/** `isForced`: also the one in use, in whose place the one before comes, and one that others need.
 *  Errors: ERR_MIDFLIGHT_PLUGIN_UNKNOWN, _VERSION_UNKNOWN, _NEEDED. */
export async function unpublishPlugin(
  registry: Registry,
  wanted: VersionName,
  { isForced }: { readonly isForced: boolean },
): Promise<Unpublished> {
  return takeRegistryTurn(registry, async () => {
    requirePublishedVersion(registry, wanted);
    const { name } = wanted;
    if (!isForced) {
      const why = findUse(registry, wanted);
      if (why !== null) throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_NEEDED', [toLabelOf(wanted), why]);
    }
    const pointer = withoutVersion(registry, wanted);
    writePointer(registry, name, pointer);
    remove(registry, wanted);
    return { ...wanted, inUse: pointer?.version ?? null, removedFileCount: sweepStore(registry) };
  });
}

function findUse(registry: Registry, wanted: VersionName): string | null {
  if (readPointer(registry, wanted.name)?.version === wanted.version) return 'it is in use';
  for (const name of listNames(registry))
    for (const version of listVersions(registry, name)) {
      const range = rangeOf(registry, { name, version }, wanted.name);
      if (range !== null && needs(registry, range, wanted))
        return `${name}@${version} requires ${wanted.name} ${range}, and no other version is in that range`;
    }
  return null;
}

function rangeOf(registry: Registry, version: VersionName, required: string): string | null {
  try {
    const { requires } = readManifest(version, toVersionPlace(registry, version)).manifest;
    return Object.hasOwn(requires, required) ? (requires[required] ?? null) : null;
  } catch {
    // It can't be opened, so it needs nothing.
    return null;
  }
}

function needs(registry: Registry, range: string, { name, version }: VersionName): boolean {
  if (!semver.satisfies(version, range)) return false;
  const others = listVersions(registry, name).filter((each) => each !== version);
  return !others.some((each) => semver.satisfies(each, range));
}

/** Renamed first, so that nobody finds half of it. */
function remove(registry: Registry, wanted: VersionName): void {
  const { folder } = toVersionPlace(registry, wanted);
  const gone = path.join(registry.staging, `${process.pid}-gone`);
  mkdirSync(registry.staging, { recursive: true });
  renameSync(folder, gone);
  rmSync(gone, { recursive: true, force: true });
  if (listVersions(registry, wanted.name).length > 0) return;
  try {
    rmdirSync(toPluginFolder(registry, wanted.name));
  } catch {
    // Something else is in it, which is not ours.
  }
}
