/** The newest statement that was accepted: by the record, or where that was lost, by the audit log. */

import type { Accepted } from '../release/trust.ts';
import { readAudit } from './audit-log.ts';
import type { History } from './history.ts';

/** Null where none was accepted yet. */
export function findAccepted(history: Pick<History, 'highestAccepted'>, auditLog: string): Accepted | null {
  return history.highestAccepted() ?? findInAudit(auditLog);
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
