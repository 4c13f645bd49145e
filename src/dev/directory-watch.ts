/**
 * Quick news of changed files, from the system's own events on single directories: they arrive within a millisecond, where
 * a watcher of whole trees gathers them for 50. It may miss some (a directory that is replaced, a full queue); the watcher
 * of the tree does not.
 */

import { statSync, watch, type FSWatcher } from 'node:fs';
import path from 'node:path';

export interface DirectoryWatch {
  /** Watches these directories, and forgets those that are gone. */
  follow(directories: Iterable<string>): void;
  close(): void;
}

interface Watched {
  readonly watcher: FSWatcher;
  /** A directory of the same name may be another one later. */
  readonly inode: number;
}

/** Watches nothing yet. `onChange` gets absolute paths; the process is not kept alive. */
export function createDirectoryWatch(onChange: (file: string) => void): DirectoryWatch {
  const watched = new Map<string, Watched>();

  function forget(directory: string): void {
    watched.get(directory)?.watcher.close();
    watched.delete(directory);
  }

  function add(directory: string): void {
    const inode = inodeOf(directory);
    if (inode === watched.get(directory)?.inode) return;
    forget(directory);
    if (inode === undefined) return;
    try {
      const watcher = watch(directory, { persistent: false }, (_, name) => {
        if (name !== null) onChange(path.join(directory, name));
      });
      watcher.on('error', () => forget(directory));
      watched.set(directory, { watcher, inode });
    } catch {
      // Gone since, or the system's limit of watches is reached: the watcher of the tree tells of it, a little later.
    }
  }

  return {
    follow(directories) {
      const wanted = new Set(directories);
      for (const directory of watched.keys()) if (!wanted.has(directory)) forget(directory);
      for (const directory of wanted) add(directory);
    },
    close() {
      for (const directory of watched.keys()) forget(directory);
    },
  };
}

function inodeOf(directory: string): number | undefined {
  return statSync(directory, { throwIfNoEntry: false })?.ino;
}
