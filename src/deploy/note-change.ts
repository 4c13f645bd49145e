/** Who has changed a registry, in the audit log of the app of this directory, if there is one. */

import { existsSync } from 'node:fs';
import { toOwnActor } from './actor.ts';
import { appendAudit } from './audit-log.ts';
import { toFailure } from '../errors.ts';
import { toHome } from '../release/home.ts';

export interface RegistryChange {
  /** `plugin publish`, … */
  readonly action: string;
  readonly registry: string;
  readonly subject: string;
}

/** Makes the change, and notes what has come of it. Rejects as it does. */
export async function noteChange<Result extends object>(
  { action, registry, subject }: RegistryChange,
  change: () => Promise<Result>,
): Promise<Result> {
  try {
    const result = await change();
    note(action, 'done', `${JSON.stringify(result)} in ${registry}`);
    return result;
  } catch (error) {
    note(action, 'refused', `${subject} in ${registry}: ${toFailure(error).message}`);
    throw error;
  }
}

function note(action: string, result: string, detail: string): void {
  const { directory, auditLog } = toHome(process.cwd());
  if (!existsSync(directory)) return;
  appendAudit(auditLog, { action, actor: toOwnActor('command'), result, detail });
}
