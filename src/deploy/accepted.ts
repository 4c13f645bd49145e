/** The newest statement that was accepted: by the record, or where that was lost, by the audit log. */

import type { Accepted } from '../release/trust.ts';
import { readAudit } from './audit-log.ts';
import type { History } from './history.ts';

/** Null where none was accepted yet. */
export function findAccepted(history: Pick<History, 'highestAccepted'>, auditLog: string): Accepted | null {
  return history.highestAccepted() ?? findInAudit(auditLog);
}

/** The same for who asks often. A record that was put back from a backup is older than the log, which is read once. */
export function createAccepted(
  history: Pick<History, 'highestAccepted'>,
  auditLog: string,
): () => Accepted | null {
  let logged: Accepted | null | undefined;
  return () => {
    if (logged === undefined) logged = findInAudit(auditLog);
    const recorded = history.highestAccepted();
    return (recorded?.counter ?? 0) < (logged?.counter ?? 0) ? logged : recorded;
  };
}

function findInAudit(auditLog: string): Accepted | null {
  let highest: Accepted | null = null;
  for (const { result, counter, digest } of readAudit(auditLog).lines) {
    // What was refused was not accepted, whatever its counter.
    if (result !== 'begun' || counter === undefined || counter <= (highest?.counter ?? 0)) continue;
    highest = { counter, digest: digest ?? '' };
  }
  return highest;
}
