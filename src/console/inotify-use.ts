/** How much of what the kernel lets one user watch is taken: `midflight dev` and most editors need a watch for each folder. */

import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import path from 'node:path';

export interface InotifyUse {
  /** One is had by each process that watches, or more. */
  readonly instances: number;
  readonly instancesMax: number;
  readonly watches: number;
  readonly watchesMax: number;
}

/** Of this user's processes, as far as they let themselves be looked at. Null where there is no inotify. */
export function readInotifyUse(proc = '/proc'): InotifyUse | null {
  const limitOf = (name: string): number =>
    Number(readFileSync(path.join(proc, 'sys/fs/inotify', name), 'utf8'));
  try {
    const limits = {
      instancesMax: limitOf('max_user_instances'),
      watchesMax: limitOf('max_user_watches'),
    };
    const held = readdirSync(proc)
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => countWatches(path.join(proc, pid)));
    return { ...limits, instances: held.length, watches: held.reduce((sum, count) => sum + count, 0) };
  } catch {
    // Not Linux, or no /proc.
    return null;
  }
}

/** Of each instance of a process. */
function countWatches(directory: string): readonly number[] {
  try {
    const own = process.geteuid?.();
    if (own !== undefined && statSync(directory).uid !== own) return [];
    return readdirSync(path.join(directory, 'fd')).flatMap((fd) => countOf(directory, fd) ?? []);
  } catch {
    // It has just ended, or is not to be looked at.
    return [];
  }
}

/** Null for what is no instance. */
function countOf(directory: string, fd: string): number | null {
  try {
    if (readlinkSync(path.join(directory, 'fd', fd)) !== 'anon_inode:inotify') return null;
    return readFileSync(path.join(directory, 'fdinfo', fd), 'utf8').match(/^inotify wd:/gm)?.length ?? 0;
  } catch {
    // Closed meanwhile, as is the one by which this process has listed its own.
    return null;
  }
}
