/**
 * Whose turn it is with what releases share: builds, which count on what is there already, or a sweep, which removes what no release
 * names.
 *
 * 1. In one process they come one after the other.
 * 2. Builds of other processes (`midflight plan`, `bundle`) may be under way beside a build; a sweep is alone. A process that is killed
 *    has no turn any more.
 */

import { mkdirSync } from 'node:fs';
import { MidflightError } from '../errors.ts';
import { explainDiskProblem } from './disk-problem.ts';
import { lockFile, waitForLock } from './file-lock.ts';
import type { Home } from './home.ts';

/** A sweep that removes installed dependencies may take minutes on a slow disk. */
const SWEEP_MS_MAX = 600_000;

const turns = new Map<string, Promise<unknown>>();

/** For whatever makes, copies or pins a release that nothing else keeps.
 *  Errors: ERR_MIDFLIGHT_STORE_LOCKED where a sweep of another process does not end; ERR_MIDFLIGHT_BUILD_ABORTED. */
export async function takeBuildTurn<Result>(
  home: Home,
  work: () => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  return takeTurn(home, async () => {
    const lock = await waitForLock(home.storeLock, { kind: 'shared', waitMs: SWEEP_MS_MAX, signal });
    if (lock === null)
      throw new MidflightError('ERR_MIDFLIGHT_STORE_LOCKED', [home.directory, String(SWEEP_MS_MAX)]);
    try {
      return await work();
    } finally {
      lock.dispose();
    }
  });
}

/** For whatever removes. Null where another process builds: then nothing was done. */
export async function takeSweepTurn<Result>(home: Home, work: () => Promise<Result>): Promise<Result | null> {
  return takeTurn(home, async () => {
    const lock = lockFile(home.storeLock, 'alone');
    if (lock === null) return null;
    try {
      return await work();
    } finally {
      lock.dispose();
    }
  });
}

async function takeTurn<Result>(home: Home, work: () => Promise<Result>): Promise<Result> {
  try {
    mkdirSync(home.directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw explainDiskProblem(error, home.directory);
  }
  const mine = (turns.get(home.directory) ?? Promise.resolve()).then(work, work);
  const settled = mine.catch(() => null);
  turns.set(home.directory, settled);
  try {
    return await mine;
  } finally {
    if (turns.get(home.directory) === settled) turns.delete(home.directory);
  }
}
