/** What a generation is made of: a release's modules and where their code is. From disk in a worker, from memory elsewhere. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Manifest, ManifestModule } from '../protocol/manifest.ts';
import type { ReleaseLocation } from '../protocol/messages.ts';

export interface LoadedRelease {
  readonly id: string;
  /** Absolute path of the app's tree. */
  readonly root: string;
  readonly manifest: Pick<Manifest, 'entry' | 'modules' | 'assets'>;
  /** The compiled code of one of its modules. */
  readonly readCompiled: (module: ManifestModule) => string;
}

/** Reads a release that was built; its manifest was checked when it was written. */
export function readRelease({ id, root, manifestFile, store }: ReleaseLocation): LoadedRelease {
  return {
    id,
    root,
    manifest: JSON.parse(readFileSync(manifestFile, 'utf8')) as Manifest,
    readCompiled: ({ hash }) => readFileSync(path.join(store, `${hash}.js`), 'utf8'),
  };
}
