/** The module that a file is, or that is meant by one without its extension. */

import path from 'node:path';
import type { ModuleInstance } from './module-instance.ts';

type Get = (at: string) => ModuleInstance | undefined;

/** Finds the module at a file in one of the trees; `get` gives modules by their path in it. */
export function findModule(get: Get, roots: readonly string[], file: string): ModuleInstance | null {
  const root = roots.find((candidate) => file.startsWith(candidate + path.sep));
  return root === undefined ? null : findByPath(get, path.relative(root, file).split(path.sep).join('/'));
}

const extensions = ['', '.ts', '.tsx', '.mts', '.cts', '.js', '.mjs', '.cjs', '.jsx', '.json'];
const sources: Readonly<Record<string, readonly string[]>> = {
  '.js': ['.ts', '.tsx', '.jsx'],
  '.jsx': ['.tsx'],
  '.mjs': ['.mts'],
  '.cjs': ['.cts'],
};

function findByPath(get: Get, at: string): ModuleInstance | null {
  const { dir, name, ext } = path.posix.parse(at);
  const candidates = [
    ...extensions.map((extension) => at + extension),
    ...(sources[ext] ?? []).map((extension) => path.posix.join(dir, name + extension)),
    ...extensions.slice(1).map((extension) => path.posix.join(at, `index${extension}`)),
  ];
  for (const candidate of candidates) {
    const instance = get(candidate);
    if (instance !== undefined) return instance;
  }
  return null;
}
