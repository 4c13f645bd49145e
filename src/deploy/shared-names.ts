/**
 * What a release names of what releases share. Its manifest never changes, so one that is on disk as it was is not read again: reading
 * those of ten large releases took most of the time of a sweep.
 */

import { readFileSync, statSync } from 'node:fs';
import { parseManifest } from '../protocol/manifest.ts';
import { toMapName } from '../protocol/source-map.ts';
import { toReleaseLocation, type Home } from '../release/home.ts';

export interface SharedNames {
  /** Files of the store. */
  readonly stored: readonly string[];
  readonly dependenciesHash: string | null;
}

/** By the file of the manifest. */
const known = new Map<string, SharedNames & { readonly stamp: string }>();

/** Null where the manifest can't be read: it may be of another version, or damaged; either way it may name anything. */
export function readSharedNames(home: Home, id: string): SharedNames | null {
  const { manifestFile } = toReleaseLocation(home, id);
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(manifestFile, { bigint: true });
    const stamp = [ino, size, mtimeNs, ctimeNs].join(' ');
    const before = known.get(manifestFile);
    if (before?.stamp === stamp) return before;
    const names = toNames(readFileSync(manifestFile, 'utf8'));
    known.set(manifestFile, { ...names, stamp });
    return names;
  } catch {
    known.delete(manifestFile);
    return null;
  }
}

/** When it is gone. */
export function forgetSharedNames(home: Home, id: string): void {
  known.delete(toReleaseLocation(home, id).manifestFile);
}

function toNames(text: string): SharedNames {
  const { modules, dependenciesHash } = parseManifest(text);
  // Most are those of other releases, too: each is there once.
  const texts = new Map([...known.values()].flatMap(({ stored }) => stored.map((name) => [name, name])));
  const stored = [...modules.values()]
    .flatMap(({ hash, mapHash }) => [`${hash}.js`, ...(mapHash === undefined ? [] : [toMapName(mapHash)])])
    .map((name) => texts.get(name) ?? name);
  return { stored, dependenciesHash };
}
