/** The plan of a run: what the candidate is against what runs, and what the record says of the past. */

import { MidflightError } from '../errors.ts';
import { toErrorReport } from '../protocol/messages.ts';
import type { Plan, Policy } from '../plan/plan.ts';
import { listNames } from '../plan/reason.ts';
import { toShownPlan } from '../plan/plan-id.ts';
import type { Candidate } from './candidate.ts';
import { completePlan } from './complete-plan.ts';
import type { DeployParts } from './deploy-parts.ts';
import type { DeployRun } from './deploy-run.ts';
import { requireSamePlan } from './shown-plans.ts';

export interface PlanWish {
  readonly candidate: Candidate;
  readonly path: Policy['path'];
  readonly isGoingBack?: boolean;
  /** The id of a plan that was shown; any other one is refused. */
  readonly shownPlan?: string | null;
}

/** The plan against what runs once no probation does. One that changes nothing lets a probation go on.
 *  Errors: ERR_MIDFLIGHT_PLAN_MOVED. */
export async function settlePlan(parts: DeployParts, run: DeployRun, wish: PlanWish): Promise<Plan> {
  const { workers, history, atWork, tell } = parts;
  for (;;) {
    const plan = await makePlan(parts, run, wish);
    await requireShown(parts, run, { ...wish, plan });
    run.abort.signal.throwIfAborted();
    const changesNothing = plan.path === 'none' || plan.path === 'rejected';
    if (!changesNothing) {
      const superseded = atWork.probation;
      superseded?.end('superseded');
      await superseded?.ended.catch(() => null);
      // Otherwise two bad releases in a row would look the same.
      run.baseline = superseded?.run.baseline ?? run.baseline;
    }
    // A probation may have failed while a compiler was asked.
    if (workers.currentRelease() !== run.previous) continue;
    const reasons = plan.reasons.map(({ code, message }) => `${code} ${message}`);
    tell('plan', `${plan.path}: ${reasons.join('; ')}`);
    if (plan.path === 'swap')
      for (const { code, message } of plan.warnings) tell('warning', `${code} ${message}`);
    history.note(run.id, run);
    return plan;
  }
}

async function requireShown(
  { home }: DeployParts,
  { previous }: DeployRun,
  { candidate, plan, shownPlan = null }: PlanWish & { readonly plan: Plan },
): Promise<void> {
  if (shownPlan === null) return;
  const now = toShownPlan(previous?.manifest ?? null, candidate.release.manifest, plan);
  await requireSamePlan(home, shownPlan, now);
}

/** Makes the plan, and notes it in the run. */
export async function makePlan(
  { home, workers, history, tell }: DeployParts,
  run: DeployRun,
  { candidate, path, isGoingBack = false }: PlanWish,
): Promise<Plan> {
  const startedAt = performance.now();
  const { release, problems } = candidate;
  run.previous = workers.currentRelease();
  const input = {
    current: run.previous?.manifest ?? null,
    next: release.manifest,
    problems: problems.map(toErrorReport),
    policy: { path, unswappable: history.unswappable(), isGoingBack },
  };
  const before = run.previous?.location.root ?? null;
  const plan = await completePlan(input, {
    before,
    after: release.location.root,
    cacheDirectory: home.cache,
    signal: run.abort.signal,
    onCheck: (paths) => tell('types', `of what is replaced in place: ${listNames(paths)}`),
  });
  run.plan = plan;
  run.path = plan.path;
  run.reasons = plan.reasons;
  run.timings['planMs'] = performance.now() - startedAt;
  return plan;
}

/** What a rejected plan comes to, for whoever has asked for the deploy. */
export function toRejection({ reasons }: Plan, { problems }: Candidate): MidflightError {
  const rejecting = reasons.filter(({ path }) => path === 'rejected');
  const [first] = rejecting;
  const problem = problems.find(({ message }) => message === first?.message);
  if (problem !== undefined) return problem;
  const lines = rejecting.map(
    ({ code, message, fix }) => `${code} ${message}${fix === undefined ? '' : `\n  ${fix}`}`,
  );
  return new MidflightError('ERR_MIDFLIGHT_PLAN_REJECTED', [lines.join('\n')]);
}
