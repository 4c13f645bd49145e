/** The plan of a run: what the candidate is against what runs, and what the record says of the past. */

import { toErrorReport } from '../protocol/messages.ts';
import { toPlan, type Plan, type Policy } from '../plan/plan.ts';
import type { Candidate } from './candidate.ts';
import type { DeployParts } from './deploy-parts.ts';
import type { DeployRun } from './deploy-run.ts';

/** The plan against what runs once no probation does. One that changes nothing lets a probation go on. */
export async function settlePlan(
  parts: DeployParts,
  run: DeployRun,
  { candidate, path }: { readonly candidate: Candidate; readonly path: Policy['path'] },
): Promise<Plan> {
  const { workers, history, atWork, tell } = parts;
  for (;;) {
    const current = workers.currentRelease();
    const plan = makePlan(parts, run, { candidate, path });
    const changesNothing = plan.path === 'none' || plan.path === 'rejected';
    if (!changesNothing) {
      const superseded = atWork.probation;
      superseded?.end('superseded');
      await superseded?.ended.catch(() => null);
      // Otherwise two bad releases in a row would look the same.
      run.baseline = superseded?.run.baseline ?? run.baseline;
    }
    if (!changesNothing && workers.currentRelease() !== current) continue;
    const reasons = plan.reasons.map(({ code, message }) => `${code} ${message}`);
    tell('plan', `${plan.path}: ${reasons.join('; ')}`);
    history.note(run.id, run);
    return plan;
  }
}

/** Makes the plan, and notes it in the run. */
export function makePlan(
  { workers, history }: DeployParts,
  run: DeployRun,
  { candidate, path }: { readonly candidate: Candidate; readonly path: Policy['path'] },
): Plan {
  const startedAt = performance.now();
  run.previous = workers.currentRelease();
  const plan = toPlan({
    current: run.previous?.manifest ?? null,
    next: candidate.release.manifest,
    problems: candidate.problems.map(toErrorReport),
    policy: { path, unswappable: history.unswappable() },
  });
  run.plan = plan;
  run.path = plan.path;
  run.reasons = plan.reasons;
  run.timings['planMs'] = performance.now() - startedAt;
  return plan;
}
