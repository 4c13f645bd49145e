/** Which file an app starts with, and how. */

import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { parseStartScript, type StartScript } from './start-script.ts';

const extensions = ['', '.ts', '.mts', '.cts', '.js', '.mjs', '.cjs', '/index.ts', '/index.js'];

/** The entry as a POSIX path relative to `root`, with what package.json says of its start: `entry` of the
 *  configuration, else the file in package.json's `scripts.start`, else its `main`.
 *  Errors: ERR_MIDFLIGHT_ENTRY_UNKNOWN, ERR_MIDFLIGHT_ENTRY_MISSING. */
export async function findEntry(root: string, configured: string | undefined): Promise<StartScript> {
  const named = configured === undefined ? await namedByPackage(root) : toScript(configured);
  if (named === null) throw new MidflightError('ERR_MIDFLIGHT_ENTRY_UNKNOWN', []);
  const relative = path.normalize(named.entry);
  if (path.isAbsolute(relative) || relative.startsWith('..')) {
    throw new MidflightError('ERR_MIDFLIGHT_ENTRY_MISSING', [named.entry]);
  }
  const candidates = extensions.map((extension) => relative + extension);
  const found = candidates.find((file) => isFile(path.join(root, file)));
  if (found === undefined) throw new MidflightError('ERR_MIDFLIGHT_ENTRY_MISSING', [named.entry]);
  return { ...named, entry: found.split(path.sep).join('/') };
}

function isFile(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() === true;
}

async function namedByPackage(root: string): Promise<StartScript | null> {
  const file = path.join(root, 'package.json');
  if (!existsSync(file)) return null;
  const content = JSON.parse(await readFile(file, 'utf8')) as {
    main?: unknown;
    scripts?: { start?: unknown };
  };
  const { main, scripts } = content;
  const script = typeof scripts?.start === 'string' ? parseStartScript(scripts.start) : null;
  return script ?? (typeof main === 'string' ? toScript(main) : null);
}

function toScript(entry: string): StartScript {
  return { environment: {}, nodeOptions: [], entry, args: [] };
}
