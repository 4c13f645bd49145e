/** Files that were emptied, which is not what they are meant to be, most of the time: who saves one is about to write it. */

import { statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const EMPTY_MS = 1_000;
const INTERVAL_MS = 10;

/** Resolves when none of them is empty, or after a second. `paths` are relative to the root, and may become more. */
export async function untilWritten(root: string, paths: ReadonlySet<string>): Promise<void> {
  const isEmpty = (at: string): boolean =>
    statSync(path.join(root, at), { throwIfNoEntry: false })?.size === 0;
  for (let waitedMs = 0; waitedMs < EMPTY_MS && [...paths].some(isEmpty); waitedMs += INTERVAL_MS)
    await sleep(INTERVAL_MS);
}
