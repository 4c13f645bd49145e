/**
 * What was written for a release is on the disk before it can be current: a start after a power cut comes up on what is whole.
 * Why by the file system and not file by file: docs/design/store/design.md#power-cuts.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { runCommand } from '../release/command.ts';
import type { DeployParts } from './deploy-parts.ts';
import type { DeployRun } from './deploy-run.ts';

/** A disk that is busy with what others have written; then the deploy goes on, and says so. */
const FLUSH_TIMEOUT_MS = 10_000;

/** Begins, beside whatever comes next; what is returned waits for the end of it.
 *  Shape: a disk that can't be flushed, or not in time, is told, and not an error. */
export function beginFlush({ home, tell }: DeployParts): (run: DeployRun) => Promise<void> {
  const flushed = flush(home.directory);
  return async (run) => {
    const startedAt = performance.now();
    const problem = await flushed;
    run.timings['flushMs'] = performance.now() - startedAt;
    if (problem !== null)
      tell('flush', `the release may not be on the disk yet, and a power cut would damage it: ${problem}`);
  };
}

/** Null when all that was written to the file system of `directory` is on the disk, else why that is not known. */
export async function flush(directory: string, timeoutMs = FLUSH_TIMEOUT_MS): Promise<string | null> {
  const late = new AbortController();
  // Who waits for a disk can't be killed.
  const timeout = sleep(timeoutMs, `no end after ${timeoutMs} ms`, { signal: late.signal, ref: false });
  const ended = runSync(directory, timeoutMs).finally(() => late.abort());
  return Promise.race([ended, timeout.catch(() => ended)]);
}

async function runSync(directory: string, timeoutMs: number): Promise<string | null> {
  // Only Linux flushes one file system.
  const args = process.platform === 'linux' ? ['-f', directory] : [];
  try {
    const env = { PATH: process.env['PATH'] };
    const { exitCode, output } = await runCommand('sync', args, { cwd: directory, timeoutMs, env });
    return exitCode === 0 ? null : `sync ended with ${exitCode}: ${output}`;
  } catch (error) {
    return String(error);
  }
}
