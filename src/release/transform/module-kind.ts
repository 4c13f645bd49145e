/** How a file is evaluated: by its name, by the package that it is in, else by its syntax, as Node 24 does it. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { ModuleKind } from '../../protocol/manifest.ts';

/** `unknown`: the syntax decides. */
export type PackageType = 'module' | 'commonjs' | 'unknown';

/** Makes a finder of the nearest package.json's `type`, not looked for outside `root`. */
export function createPackageTypes(root: string): (modulePath: string) => PackageType {
  const found = new Map<string, PackageType>();
  const typeOf = (directory: string): PackageType => {
    const known = found.get(directory);
    if (known !== undefined) return known;
    const own = readType(path.join(root, directory, 'package.json'));
    const type = own ?? (directory === '.' ? 'unknown' : typeOf(path.posix.dirname(directory)));
    found.set(directory, type);
    return type;
  };
  return (modulePath) => typeOf(path.posix.dirname(modulePath));
}

/** The kind by name and package; null where the syntax decides. */
export function kindByName(modulePath: string, packageType: PackageType): ModuleKind | null {
  const extension = path.posix.extname(modulePath);
  if (extension === '.json') return 'json';
  if (extension === '.mjs' || extension === '.mts') return 'esm';
  if (extension === '.cjs' || extension === '.cts') return 'cjs';
  if (packageType === 'unknown') return null;
  // TypeScript with import statements in a CommonJS package was meant for a compiler that rewrites them.
  if (packageType === 'commonjs') return /\.[jt]sx$|\.ts$/.test(extension) ? null : 'cjs';
  return 'esm';
}

const requireOnly: ReadonlySet<string> = new Set(['require']);
const allNames: ReadonlySet<string> = new Set(['require', 'module', '__filename', '__dirname']);

/** The names of CommonJS that an ES module has all the same: TypeScript for a compiler that makes CommonJS of it, and where
 *  `import x = require('x')` stands, which such a compiler makes a `require` of. */
export function commonJsNames({ path: modulePath, source, packageType }: NamedSource): ReadonlySet<string> {
  const extension = path.posix.extname(modulePath);
  if (/^\.tsx?$/.test(extension) && packageType !== 'module') return allNames;
  const hasImportEquals = /^\.[cm]?tsx?$/.test(extension) && /\bimport\s+[\w$]+\s*=\s*require\b/.test(source);
  return hasImportEquals ? requireOnly : new Set();
}

interface NamedSource {
  readonly path: string;
  readonly source: string;
  readonly packageType: PackageType;
}

function readType(file: string): PackageType | null {
  try {
    const { type } = JSON.parse(readFileSync(file, 'utf8')) as { type?: unknown };
    return type === 'module' || type === 'commonjs' ? type : 'unknown';
  } catch {
    // No package.json here, or one that says nothing: the folder above decides.
    return null;
  }
}
