/** Removes from the store what no version names. Whoever calls it has the registry alone. */

import { existsSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { toMapName } from '../../protocol/source-map.ts';
import { readManifest } from './plugin-manifest.ts';
import { listNames, listVersions, toVersionPlace, type Registry } from './registry.ts';

/** Returns how many files went; none where a manifest can't be read, as nobody knows what that names. */
export function sweepStore(registry: Registry): number {
  if (!existsSync(registry.store)) return 0;
  const named = findNamed(registry);
  if (named === null) return 0;
  const surplus = readdirSync(registry.store).filter((file) => !named.has(file));
  for (const file of surplus) rmSync(path.join(registry.store, file), { force: true });
  return surplus.length;
}

function findNamed(registry: Registry): ReadonlySet<string> | null {
  const named = new Set<string>();
  for (const name of listNames(registry))
    for (const version of listVersions(registry, name)) {
      try {
        const { manifest } = readManifest({ name, version }, toVersionPlace(registry, { name, version }));
        for (const { hash, mapHash } of manifest.modules.values()) {
          named.add(`${hash}.js`);
          if (mapHash !== undefined) named.add(toMapName(mapHash));
        }
      } catch {
        // Altered, or of another Midflight: "midflight plugin verify" tells of it.
        return null;
      }
    }
  return named;
}
