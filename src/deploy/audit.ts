/** The audit log of one app, for who has to go on also where it can't be written. */

import { MidflightError } from '../errors.ts';
import type { AuditEntry } from './audit-chain.ts';
import { appendAudit } from './audit-log.ts';

export type Audit = (entry: AuditEntry, options?: { readonly isRequired: boolean }) => void;

/** Appends. Where that fails, it is logged; or thrown, where nothing has happened yet and nothing must without it. */
export function createAudit(file: string, log: (message: string) => void): Audit {
  return (entry, options) => {
    try {
      appendAudit(file, entry);
    } catch (error) {
      const problem = `the audit log can't be written: ${String(error)}`;
      if (options?.isRequired === true)
        throw new MidflightError('ERR_MIDFLIGHT_AUDIT_UNWRITABLE', [file, String(error)], { cause: error });
      log(`${problem}; missing in it: ${entry.action} ${entry.release ?? ''} ${entry.result}`);
    }
  };
}
