/** A plugin as a file or a folder of the disk: which it is, and where it starts. */

import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { MidflightError } from '../errors.ts';

/** What a plugin may be named by without its extension, and what a folder starts with. */
const extensions = ['', '.ts', '.mts', '.cts', '.js', '.mjs', '.cjs'];
const indexes = extensions.slice(1).map((extension) => `index${extension}`);

export interface PluginFile {
  readonly location: string;
  readonly isFolder: boolean;
  /** Its folder, or that in which the file is. */
  readonly root: string;
  /** Relative to that. A folder starts with `main` of its `package.json`, or its `exports`, else its index.
   *  Errors: ERR_MIDFLIGHT_PLUGIN_UNKNOWN. */
  findEntry(this: void): string;
}

/** Errors: ERR_MIDFLIGHT_PLUGIN_UNKNOWN. */
export function findPluginFile(named: string): PluginFile {
  const found = extensions.map((extension) => named + extension).find((at) => existsSync(at));
  if (found === undefined) throw unknown(named, 'is no such file or folder');
  const location = path.resolve(found);
  const isFolder = statSync(location).isDirectory();
  const root = isFolder ? location : path.dirname(location);
  return {
    location,
    isFolder,
    root,
    findEntry: () => (isFolder ? findInFolder(location) : path.basename(location)),
  };
}

function findInFolder(root: string): string {
  const { main } = readPluginPackage(root);
  // As `require` does, whose packages these may be: a file, one without its extension, a folder.
  const named = extensions.map((extension) => `${main}${extension}`);
  const inFolder = indexes.map((index) => `${main}/${index}`);
  const candidates = main === null ? indexes : [...named, ...inFolder];
  const found = candidates.find((file) => isFile(path.join(root, file)));
  if (found === undefined) throw unknown(root, `is no ${main ?? 'index.ts or index.js'} in it`);
  return path.posix.normalize(found);
}

function isFile(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() === true;
}

export interface PluginPackage {
  readonly name: string | null;
  readonly version: string | null;
  readonly main: string | null;
}

/** What the `package.json` of a folder says; nothing where there is none. Errors: ERR_MIDFLIGHT_PLUGIN_INVALID. */
export function readPluginPackage(root: string): PluginPackage {
  const content = readContent(root);
  const text = (key: string): string | null =>
    typeof content[key] === 'string' ? content[key] || null : null;
  return { name: text('name'), version: text('version'), main: text('main') ?? findMain(content['exports']) };
}

function readContent(root: string): Record<string, unknown> {
  const file = path.join(root, 'package.json');
  if (!existsSync(file)) return {};
  try {
    const content: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof content === 'object' && content !== null) return content as Record<string, unknown>;
    throw new Error('it is no object');
  } catch (cause) {
    const problem = `its package.json can't be read: ${(cause as Error).message}`;
    throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_INVALID', [path.basename(root), problem], { cause });
  }
}

/** The file that a package gives to `import`; null where that is not said plainly. */
function findMain(exported: unknown): string | null {
  if (typeof exported === 'string') return exported;
  if (typeof exported !== 'object' || exported === null) return null;
  const record = exported as Record<string, unknown>;
  return findMain(record['.'] ?? record['import'] ?? record['default']);
}

function unknown(location: string, problem: string): MidflightError {
  return new MidflightError('ERR_MIDFLIGHT_PLUGIN_UNKNOWN', [
    path.basename(location),
    path.dirname(location),
    problem,
  ]);
}
