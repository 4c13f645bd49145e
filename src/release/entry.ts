/** Which file an app starts with. */

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { MidflightError } from '../errors.ts';

const extensions = ['', '.ts', '.mts', '.cts', '.js', '.mjs', '.cjs', '/index.ts', '/index.js'];

/** The entry as a POSIX path relative to `root`: `entry` of the configuration, else the file in package.json's
 *  `scripts.start`, else its `main`.
 *  Errors: ERR_MIDFLIGHT_ENTRY_UNKNOWN, ERR_MIDFLIGHT_ENTRY_MISSING. */
export async function findEntry(root: string, configured: string | undefined): Promise<string> {
  const named = configured ?? (await namedByPackage(root));
  if (named === null) throw new MidflightError('ERR_MIDFLIGHT_ENTRY_UNKNOWN', []);
  const relative = path.normalize(named);
  if (path.isAbsolute(relative) || relative.startsWith('..')) {
    throw new MidflightError('ERR_MIDFLIGHT_ENTRY_MISSING', [named]);
  }
  const found = extensions.map((extension) => relative + extension).find((file) => isFile(path.join(root, file)));
  if (found === undefined) throw new MidflightError('ERR_MIDFLIGHT_ENTRY_MISSING', [named]);
  return found.split(path.sep).join('/');
}

function isFile(file: string): boolean {
  return path.extname(file) !== '' && existsSync(file);
}

async function namedByPackage(root: string): Promise<string | null> {
  const file = path.join(root, 'package.json');
  if (!existsSync(file)) return null;
  const content = JSON.parse(await readFile(file, 'utf8')) as { main?: unknown; scripts?: { start?: unknown } };
  return fromStartScript(content.scripts?.start) ?? (typeof content.main === 'string' ? content.main : null);
}

/** The first word of `node … server.js …` that looks like a source file. */
function fromStartScript(script: unknown): string | null {
  if (typeof script !== 'string') return null;
  return script.split(/\s+/).find((word) => !word.startsWith('-') && /\.[cm]?[jt]sx?$/.test(word)) ?? null;
}
