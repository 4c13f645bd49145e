/** Uploads, a database file: one copy for every release, in the app's own directory, to which a link of each release leads. */

import { lstatSync } from 'node:fs';
import { mkdir, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { MidflightError } from '../errors.ts';

export interface SharedPaths {
  readonly appDirectory: string;
  /** The app's own folder in the tree of the release. */
  readonly root: string;
  /** Relative to both, and inside of them. */
  readonly names: readonly string[];
}

/** What is in the tree in place of a shared path goes. Errors: ERR_MIDFLIGHT_CONFIG_INVALID where that would be somewhere else. */
export async function linkShared({ appDirectory, root, names }: SharedPaths): Promise<void> {
  for (const each of names) {
    const name = path.posix.normalize(each).replace(/\/+$/, '');
    refuseBelowLink(root, name);
    const link = path.join(root, name);
    await rm(link, { recursive: true, force: true });
    await mkdir(path.dirname(link), { recursive: true });
    await symlink(path.join(appDirectory, each), link);
  }
}

/** What is below a link is not in the tree: `uploads` of the app itself, where it is shared and `uploads/old` as well. */
function refuseBelowLink(root: string, name: string): void {
  for (let above = path.dirname(name); above !== '.'; above = path.dirname(above)) {
    const isLink = lstatSync(path.join(root, above), { throwIfNoEntry: false })?.isSymbolicLink() === true;
    if (isLink)
      throw new MidflightError('ERR_MIDFLIGHT_CONFIG_INVALID', [
        'shared',
        `"${name}" is below "${above}", which is a link; share that, or what it leads to`,
      ]);
  }
}
