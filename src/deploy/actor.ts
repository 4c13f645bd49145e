/** Who asks for something, for the audit log. */

import { statSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { Actor } from './audit-chain.ts';

/** By which a client of the control socket says who it is. */
export const CLIENT_HEADER = 'midflight-client';

/** Longer than any name of a user. */
const USER_LENGTH_MAX = 200;

/** This process, in that capacity. */
export function toOwnActor(by: Actor['by']): Actor {
  return { by, uid: process.getuid?.() ?? null, user: ownUser(), pid: process.pid };
}

/** What this process says of itself to a supervisor. */
export function toClientText(): string {
  return encodeURIComponent(JSON.stringify({ pid: process.pid, user: ownUser() }));
}

/** Who has called. The socket lets in its owner and root; which process that was is its own word, and the kernel's whose it is. */
export function parseClient(text: string | undefined): Actor {
  const unknown: Actor = { by: 'client', uid: null, user: null, pid: null };
  try {
    const { pid, user } = JSON.parse(decodeURIComponent(text ?? '')) as { pid: unknown; user: unknown };
    if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0) return unknown;
    if (typeof user !== 'string' || user.length > USER_LENGTH_MAX) return unknown;
    return { by: 'client', uid: statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid ?? null, user, pid };
  } catch {
    // It says nothing, as a client of another make.
    return unknown;
  }
}

function ownUser(): string | null {
  try {
    return userInfo().username;
  } catch {
    // A container may run a uid that has no name.
    return null;
  }
}
