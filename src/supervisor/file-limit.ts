/** How many descriptors a process may have. Node raises the soft limit to the hard one by itself. */

import { readFileSync } from 'node:fs';

/** Each connection is a descriptor; below this, some hundred clients with a WebSocket each may be too many. */
const FILE_COUNT_LOW = 4_096;

/** What to say where there are few; null where there are enough, or it can't be known. */
export function warnOfFileLimit(): string | null {
  const count = readHardLimit();
  if (count === null || count >= FILE_COUNT_LOW) return null;
  return `no process may have more than ${count} open files, and each connection is one; raise that by "ulimit -Hn", LimitNOFILE= or --ulimit nofile=`;
}

function readHardLimit(): number | null {
  try {
    const [, hard] = /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return hard === undefined ? null : Number(hard);
  } catch {
    // No /proc here.
    return null;
  }
}
