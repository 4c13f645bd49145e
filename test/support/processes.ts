/** Processes that a test looks at from outside. */

import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Also where nobody has asked yet how. */
export function hasEnded(pid: number): boolean {
  const file = `/proc/${pid}/stat`;
  return !existsSync(file) || / Z /.test(readFileSync(file, 'utf8'));
}

export async function untilEnded(pid: number): Promise<void> {
  while (!hasEnded(pid)) await sleep(10);
}
