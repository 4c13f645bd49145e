/**
 * Every change in the app's tree, by a watcher that misses none: it tells of them within 50 milliseconds. One that fails is followed
 * by another: that of @parcel/watcher 2.6 ends for good where its thread is the one that handles a signal (EINTR of poll(2)), as
 * happens when a process is stopped and goes on (Ctrl-Z, fg), or gets several signals at once.
 */

import { subscribe, type AsyncSubscription } from '@parcel/watcher';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

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
  /** Changes may have been missed; called when it watches again, or with why it can't. */
  onError(error: Error): void;
}

/** By then the thread that has failed has given up its place, which another would be given otherwise, and hear nothing. */
const REST_MS = 1_000;

/** Resolves when it watches. */
export async function watchTree(options: TreeWatchOptions): Promise<TreeWatch> {
  const { onError } = options;
  let current: AsyncSubscription | null = null;
  let isClosed = false;
  let renewal: Promise<void> | null = null;
  /** Of the subscription that began last. */
  let failure: Error | null = null;

  async function begin(): Promise<void> {
    current = await subscribeTo(options, (error) => {
      failure = error;
      renewal ??= renew(error);
    });
  }

  async function renew(why: Error): Promise<void> {
    try {
      while (failure !== null) {
        // Its subscription is not ended: that waits for a thread that answers no more.
        current = null;
        await sleep(REST_MS);
        if (isClosed) return;
        failure = null;
        await begin();
      }
      onError(why);
    } catch (error) {
      onError(error instanceof Error ? error : why);
    } finally {
      renewal = null;
    }
  }

  await begin();
  return {
    async close() {
      isClosed = true;
      await renewal;
      // A directory that is gone can't be left, which is no reason to stay.
      await current?.unsubscribe().catch(() => undefined);
    },
  };
}

async function subscribeTo(
  { root, onChange }: TreeWatchOptions,
  onFailure: (error: Error) => void,
): Promise<AsyncSubscription> {
  return subscribe(
    root,
    (error, events) => {
      if (error !== null) {
        onFailure(error);
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
}

/** What was written into a new directory before that was watched. Not by `recursive`, which follows links (v24.21): some lead back. */
function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
      const at = path.join(directory, entry.name);
      if (entry.isDirectory()) return filesIn(at);
      return entry.isFile() ? [at] : [];
    });
  } catch {
    // It is a file, or gone again.
    return [];
  }
}
