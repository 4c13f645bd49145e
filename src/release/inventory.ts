/** What a folder contains, file by file: digests, permissions and links, so that a byte that differs is seen. */

import { createHash } from 'node:crypto';
import { createReadStream, lstatSync, readFileSync, readlinkSync, type Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Inventory, InventoryEntry } from '../protocol/manifest.ts';
import { createPauses } from '../protocol/pauses.ts';

/** Up to this a file is read at once, which is the quickest; a larger one would keep the process from answering. */
const AT_ONCE_BYTES_MAX = 256 * 1024;

export interface InventoryOptions {
  /** Asked of folders, too, and decides for what is in them. */
  readonly isIncluded: (relative: string) => boolean;
  /** How the target of a link is written down. */
  readonly toLink: (target: string) => string;
  /** What was read already; null for what was not. */
  readonly textOf?: (relative: string) => string | null;
}

/** Lists all files and links below `root` by POSIX path, sorted. */
export async function takeInventory(root: string, options: InventoryOptions): Promise<Inventory> {
  const { isIncluded, toLink, textOf = () => null } = options;
  const entries: [string, InventoryEntry][] = [];
  const pauses = createPauses();
  for await (const [relative, dirent] of walk(root, '', isIncluded)) {
    await pauses.next();
    const file = path.join(root, relative);
    if (dirent.isSymbolicLink()) entries.push([relative, { link: toLink(readlinkSync(file)) }]);
    else entries.push([relative, await describe(file, textOf(relative))]);
  }
  return Object.fromEntries(entries.toSorted(([left], [right]) => (left < right ? -1 : 1)));
}

/** Hex digest of bytes. */
export function digestOf(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

async function* walk(
  root: string,
  directory: string,
  isIncluded: (relative: string) => boolean,
): AsyncGenerator<[string, Dirent]> {
  for (const dirent of await readdir(path.join(root, directory), { withFileTypes: true })) {
    const relative = directory === '' ? dirent.name : `${directory}/${dirent.name}`;
    if (!isIncluded(relative)) continue;
    if (dirent.isDirectory()) yield* walk(root, relative, isIncluded);
    else if (dirent.isFile() || dirent.isSymbolicLink()) yield [relative, dirent];
  }
}

async function describe(file: string, text: string | null): Promise<InventoryEntry> {
  const { size, mode } = lstatSync(file);
  return { hash: await digestFile(file, size, text), sizeBytes: size, mode: (mode & 0o777).toString(8) };
}

async function digestFile(file: string, sizeBytes: number, text: string | null): Promise<string> {
  // What was not UTF-8 has this character in its text, which is then not what the file has.
  if (text !== null && !text.includes('\uFFFD') && Buffer.byteLength(text) === sizeBytes)
    return digestOf(text);
  return sizeBytes <= AT_ONCE_BYTES_MAX ? digestOf(readFileSync(file)) : digestStream(file);
}

async function digestStream(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: AT_ONCE_BYTES_MAX }), hash);
  return hash.digest('hex');
}
