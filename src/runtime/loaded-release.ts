/** What a generation is made of: a release's modules and where their code is. From disk in a worker, from memory elsewhere. */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { MidflightError } from '../errors.ts';
import { parseManifest, type Manifest, type ManifestModule } from '../protocol/manifest.ts';
import type { ReleaseLocation } from '../protocol/messages.ts';
import { MAPS_LINK, toMapName } from '../protocol/source-map.ts';
import type { MapLocation } from './source-positions.ts';

export interface LoadedRelease {
  readonly id: string;
  /** Absolute path of the app's tree. */
  readonly root: string;
  readonly manifest: Pick<Manifest, 'entry' | 'modules' | 'assets'>;
  /** The compiled code of one of its modules. */
  readonly readCompiled: (module: ManifestModule) => string;
  /** Where the source map of one of its modules is; null where there is none. */
  readonly findMap: (module: ManifestModule) => MapLocation | null;
}

/** Reads a release that was built; its manifest was checked when it was written. What differs from what the supervisor and the
 *  manifest say is not evaluated. Errors: ERR_MIDFLIGHT_RELEASE_ALTERED, also of `readCompiled`. */
export function readRelease({ id, root, manifestFile, store, digest }: ReleaseLocation): LoadedRelease {
  const bytes = readFileSync(manifestFile);
  if (digest !== undefined && digestOf(bytes) !== digest) throw altered(id, 'its manifest was changed since');
  return toLoadedRelease({ id, root, store }, parseManifest(bytes.toString()));
}

/** The same of a manifest that was read already. Errors: ERR_MIDFLIGHT_RELEASE_ALTERED of `readCompiled`. */
export function toLoadedRelease(
  { id, root, store }: Pick<ReleaseLocation, 'id' | 'root' | 'store'>,
  manifest: LoadedRelease['manifest'] & Pick<Manifest, 'contents'>,
): LoadedRelease {
  const maps = path.join(path.dirname(realpathSync(root)), MAPS_LINK);
  // Compiled code may outlive its release, not the store.
  const toLocation = (name: string): MapLocation => ({
    url: pathToFileURL(path.join(maps, name)).href,
    read: () => readFileSync(path.join(store, name), 'utf8'),
  });
  // An older release does not say what it has.
  const compiled = manifest.contents?.compiled ?? null;
  return {
    id,
    root,
    manifest,
    readCompiled({ hash, path: at }) {
      const file = path.join(store, `${hash}.js`);
      // What is imported late may be asked for when the release is gone.
      if (!existsSync(file)) throw altered(id, `the compiled code of ${at} is missing`);
      const code = readFileSync(file);
      if (compiled !== null && digestOf(code) !== compiled[hash])
        throw altered(id, `the compiled code of ${at} was changed since`);
      return code.toString();
    },
    findMap: ({ mapHash }) => (mapHash === undefined ? null : toLocation(toMapName(mapHash))),
  };
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function altered(id: string, problem: string): MidflightError {
  return new MidflightError('ERR_MIDFLIGHT_RELEASE_ALTERED', [id, problem]);
}
