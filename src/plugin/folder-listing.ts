/** What is in the folder of a plugin, and in those below it; not installed packages, nor what is hidden. */

import { readdirSync, type Dirent } from 'node:fs';
import path from 'node:path';
import { toStamp } from '../release/watch-files.ts';

export interface FolderListing {
  readonly folders: readonly string[];
  /** Another text when a file has come, gone or changed. */
  readonly stamps: string;
}

export function listFolder(root: string): FolderListing {
  const entries = readEntries(root).filter(({ name }) => !/^(?:\.|node_modules$)/.test(name));
  const inner = entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => listFolder(path.join(root, name)));
  const files = entries.filter((entry) => !entry.isDirectory());
  const stamps = files.map(({ name }) => toStamp(path.join(root, name)));
  return {
    folders: [root, ...inner.flatMap(({ folders }) => folders)],
    stamps: [...stamps, ...inner.map((each) => each.stamps)].join('\n'),
  };
}

function readEntries(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    // It has gone since.
    return [];
  }
}
