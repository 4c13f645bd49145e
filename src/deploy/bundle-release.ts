/** Makes a bundle of a release that is there, or of a commit, which is built for that and removed again. */

import { existsSync } from 'node:fs';
import path from 'node:path';
import { buildRelease } from '../release/build.ts';
import { writeBundle, type WrittenBundle } from '../release/bundle.ts';
import { toHome } from '../release/home.ts';
import { takeBuildTurn } from '../release/store-turn.ts';
import { signKept } from './keep-trust.ts';
import { removeFolder } from './sweep.ts';

export interface BundleRequest {
  readonly appDirectory: string;
  /** What `deploy` takes, or the id of a release. */
  readonly ref: string;
  readonly isDirty: boolean;
  readonly out: string;
  readonly hasDependencies: boolean;
  /** Files of private keys that sign it. */
  readonly keyFiles: readonly string[];
  /** The folder of the app that it is signed for, where that has another name. */
  readonly app?: string | undefined;
  readonly signal?: AbortSignal;
}

/** Errors: those of the build, and the first import that can't be linked. */
export async function bundleRelease(request: BundleRequest): Promise<WrittenBundle> {
  return takeBuildTurn(toHome(request.appDirectory), async () => bundle(request), request.signal);
}

async function bundle(request: BundleRequest): Promise<WrittenBundle> {
  const { appDirectory, ref, isDirty, out, hasDependencies, keyFiles, app, signal } = request;
  const home = toHome(appDirectory);
  const isThere = path.basename(ref) === ref && existsSync(path.join(home.releases, ref, 'manifest.json'));
  const write = async (release: string): Promise<WrittenBundle> => {
    if (keyFiles.length > 0) await signKept(home, release, { keyFiles, app });
    return writeBundle({ home, release, out, hasDependencies });
  };
  if (isThere) return write(ref);
  const { manifest, problems } = await buildRelease({
    home,
    ref,
    isDirty,
    isForElsewhere: true,
    signal,
    onStep: () => undefined,
  });
  try {
    const [problem] = problems;
    if (problem !== undefined) throw problem;
    return await write(manifest.id);
  } finally {
    await removeFolder(home, path.join(home.releases, manifest.id));
  }
}
