/** Processes that the systems are made of. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

interface Place {
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Resolves with the exit code. */
export async function runToEnd(
  command: string,
  args: readonly string[],
  place: Place,
): Promise<number | null> {
  const child = spawn(command, args, { ...place, stdio: 'ignore' });
  const [exitCode] = (await once(child, 'exit')) as [number | null];
  return exitCode;
}

/** Asks it to end, and ends it after `timeoutMs`. */
export async function end(child: ChildProcess, timeoutMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  await exited;
  clearTimeout(timer);
}

/** Asks until it is so; rejects with `what` after `timeoutMs`. */
export async function waitUntil(
  isSo: () => boolean | Promise<boolean>,
  { what, timeoutMs = 20_000 }: { what: string; timeoutMs?: number },
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await sleep(10);
  }
}
