/** Links what is installed aside into a release: as a whole, or, in a workspace, package by package, so that those of the workspace
 *  itself are the release's own. */

import { existsSync } from 'node:fs';
import { mkdir, readdir, readlink, symlink } from 'node:fs/promises';
import path from 'node:path';

export interface Installed {
  /** The folder that was installed in. */
  readonly installed: string;
  /** The release's tree. */
  readonly root: string;
  /** The folders with a package.json, `''` the first: more than one is a workspace. */
  readonly folders: readonly string[];
}

export async function linkInstalled({ installed, root, folders }: Installed): Promise<void> {
  for (const folder of folders) {
    const from = path.join(installed, folder, 'node_modules');
    const to = path.join(root, folder, 'node_modules');
    if (!existsSync(from)) continue;
    if (folders.length === 1) await symlink(from, to, 'dir');
    else await linkEach({ installed, root }, from, to);
  }
}

async function linkEach(place: Omit<Installed, 'folders'>, from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const at = path.join(from, entry.name);
    if (entry.isDirectory() && entry.name.startsWith('@'))
      await linkEach(place, at, path.join(to, entry.name));
    else await symlink(await toTarget(place, at, to), path.join(to, entry.name));
  }
}

/** Where the link of a release leads, relative to it, so that a bundle has the same: into its own tree where that of the install leads to a package of the workspace. */
async function toTarget(
  { installed, root }: Omit<Installed, 'folders'>,
  at: string,
  to: string,
): Promise<string> {
  const link = await readlink(at).catch(() => null);
  if (link === null) return path.relative(to, at);
  const target = path.relative(installed, path.resolve(path.dirname(at), link));
  const isPackage = target.split(path.sep).includes('node_modules');
  return path.relative(to, isPackage ? at : path.join(root, target));
}
