/** Which file an app starts with, and how. */

import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { parseStartScript, type StartScript } from './start-script.ts';

const extensions = ['', '.ts', '.mts', '.cts', '.js', '.mjs', '.cjs', '/index.ts', '/index.js'];

/** The entry as a POSIX path relative to `root`, with what package.json says of its start: `entry` of the
 *  configuration, else the file in the first of package.json's `scripts` that runs one which is there, else its `main`.
 *  Errors: ERR_MIDFLIGHT_ENTRY_UNKNOWN, ERR_MIDFLIGHT_ENTRY_MISSING. */
export async function findEntry(
  root: string,
  configured: string | undefined,
  scripts: readonly string[] = ['start'],
): Promise<StartScript> {
  const named = configured === undefined ? await namedByPackage(root, scripts) : [toScript(configured)];
  const [first] = named;
  if (first === undefined) throw new MidflightError('ERR_MIDFLIGHT_ENTRY_UNKNOWN', []);
  for (const script of named) {
    const entry = findFile(root, script.entry);
    if (entry !== null) return { ...script, entry };
  }
  throw new MidflightError('ERR_MIDFLIGHT_ENTRY_MISSING', [first.entry]);
}

/** The file that is meant, with or without its extension; null where none inside of the root is. */
function findFile(root: string, entry: string): string | null {
  const relative = path.normalize(entry);
  if (path.isAbsolute(relative) || relative.startsWith('..')) return null;
  const candidates = extensions.map((extension) => relative + extension);
  const found = candidates.find((file) => isFile(path.join(root, file)));
  return found?.split(path.sep).join('/') ?? null;
}

function isFile(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() === true;
}

/** What package.json names; `main` only where no script does. */
async function namedByPackage(root: string, names: readonly string[]): Promise<readonly StartScript[]> {
  const file = path.join(root, 'package.json');
  if (!existsSync(file)) return [];
  const content = JSON.parse(await readFile(file, 'utf8')) as {
    main?: unknown;
    scripts?: Readonly<Record<string, unknown>>;
  };
  const scripts = names.map((name) => content.scripts?.[name]).filter((script) => typeof script === 'string');
  const named = scripts.map(parseStartScript).filter((script) => script !== null);
  if (named.length > 0) return named;
  return typeof content.main === 'string' ? [toScript(content.main)] : [];
}

function toScript(entry: string): StartScript {
  return { environment: {}, nodeOptions: [], entry, args: [] };
}
