/** `midflight gc`: by the supervisor that runs, or in its place. */

import { MidflightError } from '../errors.ts';
import { toOwnActor } from '../deploy/actor.ts';
import { appendAudit } from '../deploy/audit-log.ts';
import { collectGarbageOffline, toCollectEntry } from '../deploy/collect-garbage.ts';
import type { SweepReport } from '../deploy/sweep.ts';
import type { Home } from '../release/home.ts';
import { callControl } from './control-client.ts';

export async function collect(home: Home, options: { readonly isDryRun: boolean }): Promise<SweepReport> {
  try {
    const call = { method: 'POST', path: '/gc', body: options, isRepeatable: true } as const;
    return (await callControl(home, call)) as SweepReport;
  } catch (error) {
    const isAlone = error instanceof MidflightError && error.code === 'ERR_MIDFLIGHT_NOT_RUNNING';
    if (!isAlone) throw error;
    const report = await collectGarbageOffline(home, options);
    if (!options.isDryRun) appendAudit(home.auditLog, toCollectEntry(toOwnActor('command'), report));
    return report;
  }
}
