/** Which sockets of this process another one has, too. Linux only: elsewhere none are found. */

import { readdirSync, readlinkSync } from 'node:fs';

/** The descriptors of those; that the parent has them does not count. */
export function findHeldElsewhere(fds: readonly number[]): ReadonlySet<number> {
  const wanted = new Map(fds.map((fd) => [linkOf(`/proc/self/fd/${fd}`), fd]));
  wanted.delete(null);
  const found = new Set<number>();
  if (wanted.size === 0) return found;
  for (const pid of namesIn('/proc')) {
    if (!/^\d+$/.test(pid) || [process.pid, process.ppid].includes(Number(pid))) continue;
    for (const each of namesIn(`/proc/${pid}/fd`)) {
      const fd = wanted.get(linkOf(`/proc/${pid}/fd/${each}`));
      if (fd !== undefined) found.add(fd);
    }
  }
  return found;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    // It has ended, or is another user's.
    return [];
  }
}

/** Such as `socket:[4711]`. */
function linkOf(file: string): string | null {
  try {
    return readlinkSync(file);
  } catch {
    // It is closed by now.
    return null;
  }
}
