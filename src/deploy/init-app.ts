/** `midflight init`: what a new user would otherwise have to look up. */

import { existsSync } from 'node:fs';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { findEntry } from '../release/entry.ts';

const CONFIG_FILE = 'midflight.config.json';

/** Writes a configuration and keeps `.midflight/` out of git; returns the names of the files it wrote.
 *  Errors: ERR_MIDFLIGHT_USAGE where there is a configuration already. */
export async function initApp(directory: string): Promise<readonly string[]> {
  const file = path.join(directory, CONFIG_FILE);
  if (existsSync(file))
    throw new MidflightError('ERR_MIDFLIGHT_USAGE', [
      `${CONFIG_FILE} exists already; edit it, or remove it first`,
    ]);
  // What package.json says of the start is best left there, with its options and variables.
  const entry = await findEntry(directory, undefined).then(
    () => ({}),
    () => ({ entry: 'server.js' }),
  );
  const config = { ...entry, workers: 1, drainTimeoutMs: 30_000, probationMs: 5_000 };
  await writeFile(file, `${JSON.stringify(config, null, 2)}\n`);
  return (await ignoreHome(directory)) ? [CONFIG_FILE, '.gitignore'] : [CONFIG_FILE];
}

async function ignoreHome(directory: string): Promise<boolean> {
  const file = path.join(directory, '.gitignore');
  const content = existsSync(file) ? await readFile(file, 'utf8') : '';
  if (/^\/?\.midflight\/?$/m.test(content)) return false;
  await appendFile(file, `${content === '' || content.endsWith('\n') ? '' : '\n'}.midflight/\n`);
  return true;
}
