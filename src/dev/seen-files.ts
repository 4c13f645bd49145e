/**
 * Which saves a process has looked at. It may end before it has heard of one, and news of one that it has taken in may come
 * after its end: the first has to start the app again, the second has not.
 */

import { statSync } from 'node:fs';
import path from 'node:path';

/** By path relative to the root. */
export type FileStamps = Readonly<Record<string, string>>;

export interface SeenFiles {
  /** There is news of these files for the process. */
  tell(paths: readonly string[]): void;
  /** The process reads them as they were with these stamps, or as they are later. */
  see(stamps: FileStamps): void;
  /** Whether a file is as the process has seen it. */
  isSeen(at: string): boolean;
  /** What it was told of and has not seen as it is now. */
  unseen(): readonly string[];
}

export function createSeenFiles(root: string): SeenFiles {
  const told = new Set<string>();
  const seen = new Map<string, string>();
  const isSeen = (at: string): boolean => seen.get(at) === toStamp(root, at);
  return {
    tell: (paths) => paths.forEach((at) => told.add(at)),
    see(stamps) {
      for (const [at, stamp] of Object.entries(stamps)) seen.set(at, stamp);
    },
    isSeen,
    unseen: () => [...told].filter((at) => !isSeen(at)),
  };
}

/** To be taken before the files are read: what is saved between is not seen then. */
export function toStamps(root: string, paths: readonly string[]): FileStamps {
  return Object.fromEntries(paths.map((at) => [at, toStamp(root, at)]));
}

/** Another one after each save, also after one that changes nothing. */
function toStamp(root: string, at: string): string {
  const stats = statSync(path.join(root, at), { throwIfNoEntry: false, bigint: true });
  return stats === undefined ? '' : `${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`;
}
