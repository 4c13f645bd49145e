/** Packages that are linked from `node_modules` and lie outside of the app's tree, as the others of its workspace do. Node loads
 *  them, once for a process. */

import { readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';

const fields = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'];

/** The real directories of those that the app depends on, directly or by way of others, with their names. */
export function findLinkedPackages(root: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const seen = new Set([root]);
  // A set's iteration comes to what is added meanwhile.
  for (const directory of seen) {
    for (const name of dependenciesOf(directory)) {
      const target = locate(directory, name);
      if (target === null || seen.has(target) || target.split(path.sep).includes('node_modules')) continue;
      seen.add(target);
      if (isApart(root, target)) found.set(target, name);
    }
  }
  return found;
}

function dependenciesOf(directory: string): string[] {
  try {
    const manifest = JSON.parse(readFileSync(path.join(directory, 'package.json'), 'utf8')) as object;
    const lists = Object.entries(manifest).filter(([field]) => fields.includes(field));
    return lists.flatMap(([, list]) => Object.keys((list ?? {}) as object));
  } catch {
    // None there, or none that can be read: what needs it says so.
    return [];
  }
}

/** Where Node finds a package from a directory. */
function locate(directory: string, name: string): string | null {
  for (let at = directory; ; at = path.dirname(at)) {
    try {
      return realpathSync(path.join(at, 'node_modules', name));
    } catch {
      // Not here: the folder above is next.
      if (at === path.dirname(at)) return null;
    }
  }
}

/** Neither inside of the tree, where it is watched anyway, nor around it. */
function isApart(root: string, directory: string): boolean {
  const isWithin = (outer: string, inner: string): boolean =>
    `${inner}${path.sep}`.startsWith(`${outer}${path.sep}`);
  return !isWithin(root, directory) && !isWithin(directory, root);
}
