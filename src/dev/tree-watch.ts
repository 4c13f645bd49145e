/** Every change in the app's tree, by a watcher that misses none: it tells of them within 50 milliseconds. */

import { subscribe } from '@parcel/watcher';
import { readdirSync } from 'node:fs';
import path from 'node:path';

/** Nobody's source: packages, git's own, ours, and what editors write beside a file that is open. */
const ignore = ['**/node_modules/**', '**/.git/**', '**/.midflight/**'];
const isIgnored = /(?:^|\/)(?:node_modules|\.git|\.midflight)(?:\/|$)|(?:~|\.sw[a-z]|\/4913|#)$/;

export interface TreeWatch {
  close(): Promise<void>;
}

export interface TreeWatchOptions {
  readonly root: string;
  /** Paths relative to the root. */
  onChange(paths: readonly string[]): void;
  /** Changes may have been missed. */
  onError(error: Error): void;
}

/** Resolves when it watches. */
export async function watchTree({ root, onChange, onError }: TreeWatchOptions): Promise<TreeWatch> {
  const subscription = await subscribe(
    root,
    (error, events) => {
      if (error !== null) {
        onError(error);
        return;
      }
      const paths = events.flatMap(({ type, path: file }) =>
        type === 'create' ? [file, ...filesIn(file)] : [file],
      );
      const relative = paths.map((file) => path.relative(root, file).split(path.sep).join('/'));
      const relevant = [...new Set(relative)].filter((at) => !isIgnored.test(at));
      if (relevant.length > 0) onChange(relevant);
    },
    { ignore },
  );
  return { close: () => subscription.unsubscribe() };
}

/** What was written into a new directory before that was watched. */
function filesIn(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  } catch {
    // It is a file, or gone again.
    return [];
  }
}
