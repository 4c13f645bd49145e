/** Makes a bundle of a release that is there, or of a commit, which is built for that and removed again. */

import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { buildRelease } from '../release/build.ts';
import { writeBundle, type WrittenBundle } from '../release/bundle.ts';
import { toHome } from '../release/home.ts';

export interface BundleRequest {
  readonly appDirectory: string;
  /** What `deploy` takes, or the id of a release. */
  readonly ref: string;
  readonly isDirty: boolean;
  readonly out: string;
  readonly hasDependencies: boolean;
}

/** Errors: those of the build, and the first import that can't be linked. */
export async function bundleRelease(request: BundleRequest): Promise<WrittenBundle> {
  const { appDirectory, ref, isDirty, out, hasDependencies } = request;
  const home = toHome(appDirectory);
  const isThere = path.basename(ref) === ref && existsSync(path.join(home.releases, ref, 'manifest.json'));
  if (isThere) return writeBundle({ home, release: ref, out, hasDependencies });
  const { manifest, problems } = await buildRelease({
    home,
    ref,
    isDirty,
    isForElsewhere: true,
    onStep: () => undefined,
  });
  try {
    const [problem] = problems;
    if (problem !== undefined) throw problem;
    return await writeBundle({ home, release: manifest.id, out, hasDependencies });
  } finally {
    await rm(path.join(home.releases, manifest.id), { recursive: true, force: true });
  }
}
