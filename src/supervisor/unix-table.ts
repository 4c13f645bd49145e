/** The kernel's table of Unix sockets. */

import { readFileSync } from 'node:fs';

/** `SS_CONNECTED` of `include/uapi/linux/net.h`. */
const CONNECTED = '03';

/** The inodes of the connections that have been accepted from the listening socket of this path. */
export function listUnixConnections(path: string): string[] {
  try {
    const rows = readFileSync('/proc/net/unix', 'utf8').trimEnd().split('\n').slice(1);
    return rows.flatMap((row) => {
      const [, , , , , state, inode = '', ...name] = row.trim().split(/\s+/);
      return state === CONNECTED && name.join(' ') === path ? [inode] : [];
    });
  } catch {
    // No /proc here.
    return [];
  }
}
