/** Processes that a test looks at from outside. */

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Also where nobody has asked yet how. */
export function hasEnded(pid: number): boolean {
  const stat = readStat(pid);
  return stat === null || / Z /.test(stat);
}

/** What proc(5) says of a process; null once it is gone. */
export function readStat(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
}

export async function untilEnded(pid: number): Promise<void> {
  while (!hasEnded(pid)) await sleep(10);
}
