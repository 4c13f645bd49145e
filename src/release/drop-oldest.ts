/** Keeps what is made again at any time from growing: of its files no more than a number stay, the newest. */

import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';

/** Of what has a name that begins so. */
export async function dropOldest(directory: string, prefix: string, keptMax: number): Promise<void> {
  const names = (await readdir(directory)).filter((name) => name.startsWith(prefix));
  if (names.length <= keptMax) return;
  const files = await Promise.all(names.map((name) => toAged(path.join(directory, name))));
  const oldest = files.toSorted((one, other) => other.mtimeMs - one.mtimeMs).slice(keptMax);
  await Promise.all(oldest.map(({ file }) => rm(file, { recursive: true, force: true })));
}

/** What another process has removed meanwhile is the oldest. */
async function toAged(file: string): Promise<{ readonly file: string; readonly mtimeMs: number }> {
  const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: 0 }));
  return { file, mtimeMs };
}
