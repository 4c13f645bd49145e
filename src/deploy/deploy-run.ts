/** The run of one deploy: what is filled in as it goes. */

import path from 'node:path';
import { MidflightError, toFailure } from '../errors.ts';
import type { Plan } from '../plan/plan.ts';
import { toErrorReport } from '../protocol/messages.ts';
import type { ServiceSample } from '../protocol/service-sample.ts';
import type { DeployPath, Reason } from '../plan/reason.ts';
import type { RunnableRelease } from '../supervisor/process-host.ts';
import { outputIn } from '../supervisor/sampling.ts';
import type { WentBack } from '../supervisor/going-back.ts';
import type { Workers } from '../supervisor/workers.ts';
import type { Verified } from '../release/trust.ts';
import { toEntry } from './admission.ts';
import type { Actor } from './audit-chain.ts';
import type { DeployParts } from './deploy-parts.ts';
import type { DeployReport, DeployRequest, Progress } from './deploy-request.ts';
import { toEvidenceText, type ProbationFigures } from './evidence.ts';
import type { DeployAction, DeployResult } from './history.ts';
import type { HookReport } from './hooks.ts';

export interface DeployRun {
  readonly id: number;
  /** For whoever has to wait for it. */
  readonly what: string;
  readonly action: DeployAction;
  readonly actor: Actor;
  readonly startedAt: number;
  readonly timings: Record<string, number>;
  previous: RunnableRelease | null;
  /** Of what served when it began to apply; null before. */
  generationBefore: number | null;
  release: string | null;
  /** Hex sha256 of the release's manifest. */
  digest: string | null;
  /** Null where no key is trusted. */
  verified: Verified | null;
  path: DeployPath;
  reasons: readonly Reason[];
  /** How the release before came back. */
  wentBack: WentBack | null;
  plan: Plan | null;
  /** How the release before has served; null where nobody knows. */
  baseline: ServiceSample | null;
  /** The last look at how the new one does, beside that. */
  figures: ProbationFigures | null;
  readonly hooks: HookReport[];
  /** What workers had printed when something failed. */
  output: string;
  /** What it has told, for who follows it from later on. */
  readonly told: Progress[];
  /** Aborted when nobody wants it any more; the reason is what rejects it. */
  readonly abort: AbortController;
  readonly ended: PromiseWithResolvers<DeployReport>;
}

/** More than a deploy has steps. */
const TOLD_COUNT_MAX = 200;

/** Begins the record of a run; `what` is for whoever has to wait for it. */
export function beginRun(
  { workers, history }: DeployParts,
  { what, action, actor }: Pick<DeployRun, 'what' | 'action' | 'actor'>,
): DeployRun {
  const previous = workers.currentRelease();
  const id = history.begin(action, previous?.manifest.id ?? null);
  return {
    id,
    what,
    action,
    actor,
    startedAt: performance.now(),
    previous,
    generationBefore: null,
    timings: {},
    release: null,
    digest: null,
    verified: null,
    path: 'none',
    reasons: [],
    wentBack: null,
    plan: null,
    baseline: null,
    figures: null,
    hooks: [],
    output: '',
    told: [],
    abort: new AbortController(),
    ended: Promise.withResolvers(),
  };
}

/** Makes the progress of a run, and keeps it. */
export function toProgress(run: DeployRun | null, step: string, message: string): Progress {
  const atMs = run === null ? 0 : Math.round(performance.now() - run.startedAt);
  const progress = { step, message, run: run?.id ?? null, atMs };
  if (run !== null && run.told.length < TOLD_COUNT_MAX) run.told.push(progress);
  return progress;
}

/** Nobody wants it any more. Up to its commit it is rejected for that, at the next step at the latest. */
export function abortRun({ abort }: DeployRun): void {
  abort.abort(new MidflightError('ERR_MIDFLIGHT_DEPLOY_ABORTED', []));
}

/** Ends the record of a run, with the evidence of what failed. That may have what a build printed, so the audit log has its code only. */
export function finishRun(
  { workers, history, audit }: DeployParts,
  run: DeployRun,
  outcome: { readonly result: DeployResult; readonly error: unknown },
): DeployReport {
  if (outcome.result === 'rejected' && run.path === 'none') run.path = 'rejected';
  const report = toReport(run, workers, outcome);
  const { plan, figures, hooks } = run;
  const { error } = outcome;
  const output = outputIn(error) || run.output;
  const evidence = toEvidenceText({ error, output, plan, probation: figures, hooks });
  try {
    history.end(run.id, { ...report, evidence });
    audit({ ...toEntry(run), result: outcome.result, detail: report.error?.code ?? run.path });
  } finally {
    run.ended.resolve(report);
  }
  return report;
}

/** `deploy of main, for 12 s, release 20261121-…`. */
export function describeWork(working: DeployRun | 'start' | 'scale' | null): string {
  if (working === null || working === 'start') return 'the start of the app';
  if (working === 'scale') return 'the change of the count of workers';
  const { what, startedAt, release } = working;
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  return `${what}, for ${seconds} s${release === null ? '' : `, release ${release}`}`;
}

/** What a release is made of, in words. */
export function toSourceText({
  ref,
  isDirty,
  bundle,
}: Pick<DeployRequest, 'ref' | 'isDirty' | 'bundle'>): string {
  if (bundle !== undefined) return `the bundle ${path.basename(bundle)}`;
  return isDirty ? 'the working tree' : ref;
}

/** What the run has come to. */
export function toReport(
  run: DeployRun,
  workers: Workers,
  { result, error }: { readonly result: DeployResult; readonly error: unknown },
): DeployReport {
  return {
    release: run.release,
    previous: run.previous?.manifest.id ?? null,
    path: run.path,
    result,
    reasons: run.reasons,
    generation: workers.generation(),
    workers: workers.wantedCount(),
    timings: run.timings,
    error: error === null ? null : toFailure(error),
    // An error that tells how a worker has ended has the same in it.
    output: toErrorReport(error).code === 'ERR_MIDFLIGHT_WORKER_EXITED' ? '' : outputIn(error),
  };
}
