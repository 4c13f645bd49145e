/** A lock that ends with its process: the kernel drops it ([how](../../docs/node/sqlite-lock.md)). Many may share it, or one has it alone. */

import { setTimeout as sleep } from 'node:timers/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { explainDiskProblem } from './disk-problem.ts';

export interface FileLock {
  dispose(): void;
}

export type LockKind = 'shared' | 'alone';

export interface LockWish {
  readonly kind: LockKind;
  readonly waitMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** SQLITE_BUSY. */
const BUSY = 5;
/** Nobody tells of a lock that is given back. */
const LOOK_MS = 20;

const statements: Readonly<Record<LockKind, string>> = {
  shared: 'BEGIN; SELECT count(*) FROM sqlite_schema',
  alone: 'BEGIN EXCLUSIVE',
};

/** Null where another holder, of this process or of another, is in the way. The file is made, in a folder that is there. Errors: those of the disk. */
export function lockFile(file: string, kind: LockKind): FileLock | null {
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(file);
    database.exec(`PRAGMA busy_timeout = 0; ${statements[kind]}`);
    return { dispose: () => database?.close() };
  } catch (error) {
    database?.close();
    if ((Number((error as { errcode?: unknown }).errcode) & 0xff) === BUSY) return null;
    throw explainDiskProblem(error, path.dirname(file));
  }
}

/** Null where it was not free in time. Errors: the reason of the signal; those of the disk. */
export async function waitForLock(
  file: string,
  { kind, waitMs, signal }: LockWish,
): Promise<FileLock | null> {
  const endsAt = performance.now() + waitMs;
  for (;;) {
    signal?.throwIfAborted();
    const lock = lockFile(file, kind);
    if (lock !== null || performance.now() >= endsAt) return lock;
    await sleep(LOOK_MS);
  }
}
