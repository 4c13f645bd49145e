/** Which version of a plugin is in use: another one, or the one that was before. Hosts that have it open follow. */

import { MidflightError } from '../../errors.ts';
import { openVersion } from './open-version.ts';
import { pointTo, readPointer, writePointer, type Pointer } from './pointer.ts';
import {
  listVersions,
  requirePublished,
  requirePublishedVersion,
  type Registry,
  type VersionName,
} from './registry.ts';
import { takeRegistryTurn } from './registry-turn.ts';

export interface Used extends VersionName {
  /** The one that was in use until now; null where none was. */
  readonly previous: string | null;
}

/** What could not be opened is not put in use.
 *  Errors: ERR_MIDFLIGHT_PLUGIN_UNKNOWN, _VERSION_UNKNOWN, _ALTERED, _UNSIGNED. */
export async function usePlugin(registry: Registry, wanted: VersionName): Promise<Used> {
  return takeRegistryTurn(registry, async () => {
    requirePublishedVersion(registry, wanted);
    const { name, version } = wanted;
    const before = readPointerOrNull(registry, name);
    await openVersion(registry, wanted);
    // Also where it says so already: a host that has refused it looks again.
    writePointer(registry, name, pointTo(before, version));
    return { name, version, previous: before?.version ?? null };
  });
}

/** To the version that was in use before; once more, to the one before that. What was unpublished since is passed over.
 *  Errors: ERR_MIDFLIGHT_PLUGIN_UNKNOWN, _VERSION_UNKNOWN where none was before, _ALTERED, _UNSIGNED. */
export async function rollBackPlugin(registry: Registry, name: string): Promise<Used> {
  return takeRegistryTurn(registry, async () => {
    const versions = requirePublished(registry, name);
    const pointer = readPointer(registry, name);
    const [version, ...before] = (pointer?.before ?? []).filter((each) => versions.includes(each));
    if (version === undefined) {
      const details = [name, `in use before ${pointer?.version ?? 'any'}`, `are ${versions.join(', ')}`];
      throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_VERSION_UNKNOWN', details);
    }
    await openVersion(registry, { name, version });
    writePointer(registry, name, { version, before });
    return { name, version, previous: pointer?.version ?? null };
  });
}

/** The pointer without a version that goes; to the newest of those before it, where it is in use. */
export function withoutVersion(registry: Registry, { name, version }: VersionName): Pointer | null {
  const pointer = readPointerOrNull(registry, name);
  if (pointer === null) return null;
  const left = listVersions(registry, name).filter((each) => each !== version);
  const [next, ...before] = [pointer.version, ...pointer.before].filter((each) => left.includes(each));
  return next === undefined ? null : { version: next, before };
}

/** What can't be read is written anew. */
function readPointerOrNull(registry: Registry, name: string): Pointer | null {
  try {
    return readPointer(registry, name);
  } catch {
    return null;
  }
}
