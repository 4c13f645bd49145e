/** The sources of a version, copied to where they are published from: of a folder all files, of a file what it leads to. */

import {
  chmodSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { MidflightError } from '../../errors.ts';
import { createModuleIndex } from '../../release/module-index.ts';
import { findPluginFile, readPluginPackage } from '../plugin-file.ts';

/** More than a plugin has, and less than fills a disk unseen. */
export const PLUGIN_BYTES_MAX = 256 * 1024 ** 2;

/** Nobody's source. */
const isLeftOut = (name: string): boolean => name === 'node_modules' || name.startsWith('.');

export interface Staged {
  /** Relative to the tree. */
  readonly entry: string;
  /** As the file, or its package.json, says; null where nothing does. */
  readonly name: string | null;
  readonly version: string | null;
}

/** Packages that came with a tarball are part of it; those that are installed beside a folder are not.
 *  Errors: ERR_MIDFLIGHT_PLUGIN_UNKNOWN, ERR_MIDFLIGHT_PLUGIN_INVALID, ERR_MIDFLIGHT_SYNTAX. */
export async function stageTree(
  specifier: string,
  tree: string,
  { hasPackages }: { readonly hasPackages: boolean },
): Promise<Staged> {
  const file = findPluginFile(specifier);
  mkdirSync(tree, { recursive: true });
  if (!file.isFolder) {
    await stageFile(file.root, file.findEntry(), tree);
    return { entry: file.findEntry(), name: path.parse(file.location).name, version: null };
  }
  copyFolder(file.root, tree, { label: specifier, hasPackages });
  const { name, version } = readPluginPackage(tree);
  return { entry: file.findEntry(), name: name ?? path.basename(file.location), version };
}

async function stageFile(root: string, entry: string, tree: string): Promise<void> {
  const index = createModuleIndex({ root, entry });
  const { modules, problems } = await index.update();
  if (problems[0] !== undefined) throw problems[0];
  for (const [at, { isComputedTarget }] of modules) {
    // The files beside it that some computed import might mean are none of it.
    if (isComputedTarget) continue;
    mkdirSync(path.dirname(path.join(tree, at)), { recursive: true });
    writeFileSync(path.join(tree, at), index.textOf(at) ?? '');
    chmodSync(path.join(tree, at), 0o644);
  }
  // Whether a .js file is an ES module; what else is in it is about others.
  const type = readType(root);
  if (type === null) return;
  writeFileSync(path.join(tree, 'package.json'), JSON.stringify({ type }));
  chmodSync(path.join(tree, 'package.json'), 0o644);
}

function readType(root: string): string | null {
  try {
    const { type } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { type?: unknown };
    return typeof type === 'string' ? type : null;
  } catch {
    // There is none: the syntax decides.
    return null;
  }
}

function copyFolder(
  from: string,
  to: string,
  { label, hasPackages }: { readonly label: string; readonly hasPackages: boolean },
): void {
  const refuse = (problem: string): never => {
    throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_INVALID', [label, problem]);
  };
  let sizeBytes = 0;
  const copy = (relative: string): void => {
    mkdirSync(path.join(to, relative), { recursive: true });
    for (const entry of readdirSync(path.join(from, relative), { withFileTypes: true })) {
      const at = path.join(relative, entry.name);
      const isPackages = hasPackages && entry.name === 'node_modules';
      if (isLeftOut(entry.name) && !isPackages) continue;
      if (entry.isDirectory()) copy(at);
      else if (!entry.isFile()) refuse(`${at} is a link, or no file; put the file itself there`);
      else {
        const { size, mode } = lstatSync(path.join(from, at));
        sizeBytes += size;
        if (sizeBytes > PLUGIN_BYTES_MAX) refuse(`it has more than ${PLUGIN_BYTES_MAX} bytes`);
        copyFileSync(path.join(from, at), path.join(to, at));
        // The same files are the same version, whatever mask they were written under.
        chmodSync(path.join(to, at), (mode & 0o100) === 0 ? 0o644 : 0o755);
      }
    }
  };
  copy('');
}
