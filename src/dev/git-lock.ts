/** Whether git is at work on the tree: while it is, files of two commits stand beside each other. */

import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 5;
/** A lock that is older than any checkout takes was left by a git that has died. */
const LOCK_TIMEOUT_MS = 3_000;

export interface GitLock {
  isHeld(): boolean;
  /** Resolves when git has ended its work. */
  released(): Promise<void>;
}

/** The lock of the repository that `root` is in; never held where there is none. */
export function createGitLock(root: string): GitLock {
  const directory = findGitDirectory(root);
  const file = directory === null ? null : path.join(directory, 'index.lock');
  const isHeld = (): boolean => file !== null && existsSync(file) && ageMs(file) < LOCK_TIMEOUT_MS;
  return {
    isHeld,
    async released() {
      while (isHeld()) await sleep(POLL_MS);
    },
  };
}

function ageMs(file: string): number {
  const { mtimeMs } = statSync(file, { throwIfNoEntry: false }) ?? { mtimeMs: 0 };
  return Date.now() - mtimeMs;
}

function findGitDirectory(root: string): string | null {
  for (let at = root; ; at = path.dirname(at)) {
    const found = path.join(at, '.git');
    const stats = statSync(found, { throwIfNoEntry: false });
    if (stats?.isDirectory() === true) return found;
    // A worktree has a file that says where its own part of the repository is.
    const link = stats === undefined ? null : /^gitdir: (.*)$/m.exec(readFileSync(found, 'utf8'));
    if (link !== null) return path.resolve(at, link[1] ?? '');
    if (at === path.dirname(at)) return null;
  }
}
