/**
 * Quick news of changed files, from the system's own events on single directories: they arrive within a millisecond, where
 * a watcher of whole trees gathers them for 50. It may miss some (a directory that is replaced, a full queue); the watcher
 * of the tree does not.
 */

import { statSync, watch, type FSWatcher } from 'node:fs';
import path from 'node:path';

export interface DirectoryWatch {
  /** Watches these directories, and no others. */
  follow(directories: Iterable<string>): void;
  /** Watches those again that are others of the same name by now, and gives them. */
  refresh(): readonly string[];
  /** Whether it is one of the directories that are to be watched. */
  follows(directory: string): boolean;
}

interface Watched {
  readonly watcher: FSWatcher;
  readonly identity: string;
}

/** Watches nothing yet. `onChange` gets absolute paths; the process is not kept alive. */
export function createDirectoryWatch(onChange: (file: string) => void): DirectoryWatch {
  const watched = new Map<string, Watched>();
  let wanted: ReadonlySet<string> = new Set();

  function forget(directory: string): void {
    watched.get(directory)?.watcher.close();
    watched.delete(directory);
  }

  /** True where it was not watched before. */
  function add(directory: string): boolean {
    const identity = identityOf(directory);
    if (identity === watched.get(directory)?.identity) return false;
    forget(directory);
    if (identity === undefined) return false;
    try {
      const watcher = watch(directory, { persistent: false }, (_, name) => {
        if (name !== null) onChange(path.join(directory, name));
      });
      watcher.on('error', () => forget(directory));
      watched.set(directory, { watcher, identity });
      return true;
    } catch {
      // Gone since, or the system's limit of watches is reached: the watcher of the tree tells of it, a little later.
      return false;
    }
  }

  return {
    follow(directories) {
      wanted = new Set(directories);
      for (const directory of watched.keys()) if (!wanted.has(directory)) forget(directory);
      for (const directory of wanted) add(directory);
    },
    refresh: () => [...wanted].filter(add),
    follows: (directory) => wanted.has(directory),
  };
}

/** Inodes are used again, at once by some file systems. */
function identityOf(directory: string): string | undefined {
  const stats = statSync(directory, { throwIfNoEntry: false, bigint: true });
  return stats === undefined ? undefined : `${stats.ino} ${stats.birthtimeNs}`;
}
