/**
 * How a worker whose keeper has been killed is told to leave: it opens a Unix socket of its own, where the next keeper
 * sends one line, `{ "leave": { "timeoutMs": 30000 } }`, and gets one, `{ "leaving": true }`, once nothing is accepted any more.
 */

import path from 'node:path';

export interface OrphanCall {
  readonly leave: { readonly timeoutMs: number };
}

/** In `.midflight/`; no longer than the path of the control socket is, whose length is checked. */
export function toOrphanSocket(directory: string, pid: number): string {
  return path.join(directory, `${pid}.sock`);
}
