/** News of some files, without keeping the process alive: within a millisecond by their directories, and of what these miss by looking. */

import { statSync } from 'node:fs';
import path from 'node:path';
import { createDirectoryWatch } from './directory-watch.ts';

/** How late news may come that the system has not told: a directory that was replaced, a queue that was full. */
const LOOK_MS = 2_000;

export interface WatchFilesOptions {
  /** Absolute paths; asked for again after each change. What is beside one of them is told of, too. */
  readonly files: () => readonly string[];
  readonly onChange: () => void;
}

/** It watches when this returns, until the returned function is called. */
export function watchFiles({ files, onChange }: WatchFilesOptions): () => void {
  let seen = '';
  const watch = createDirectoryWatch(() => tell());
  const follow = (): void => {
    const all = files();
    const directories = new Set(all.map((file) => path.dirname(file)));
    watch.follow(directories);
    watch.refresh();
    seen = [...all, ...directories].map(toStamp).join('\n');
  };
  const tell = (): void => {
    follow();
    onChange();
  };
  const look = (): void => {
    const before = seen;
    follow();
    if (seen !== before) onChange();
  };
  follow();
  const timer = setInterval(look, LOOK_MS).unref();
  return () => {
    clearInterval(timer);
    watch.follow([]);
  };
}

/** Another text when the file is another, or has changed. */
export function toStamp(file: string): string {
  const stats = statSync(file, { throwIfNoEntry: false, bigint: true });
  return stats === undefined ? `${file} -` : `${file} ${stats.ino} ${stats.size} ${stats.mtimeNs}`;
}
