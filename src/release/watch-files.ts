/** News of some files of a tree: within a millisecond by their directories, and of what these miss by the watcher of the tree. */

import path from 'node:path';
import { createDirectoryWatch } from './directory-watch.ts';
import { watchTree } from './tree-watch.ts';

export interface WatchFilesOptions {
  readonly root: string;
  /** Absolute paths; asked for again after each change. */
  readonly files: () => readonly string[];
  readonly onChange: () => void;
}

/** Resolves when it watches, with what ends it. Keeps no process alive. */
export async function watchFiles({ root, files, onChange }: WatchFilesOptions): Promise<() => void> {
  let isOver = false;
  const tell = (): void => {
    if (isOver) return;
    follow();
    onChange();
  };
  const quick = createDirectoryWatch(tell);
  const follow = (): void => quick.follow(new Set(files().map((file) => path.dirname(file))));
  follow();
  const tree = await watchTree({
    root,
    onChange: () => {
      quick.refresh();
      tell();
    },
    onError: tell,
  });
  return () => {
    isOver = true;
    quick.follow([]);
    void tree.close();
  };
}
