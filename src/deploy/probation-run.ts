/** The probation of one run: begins at its commit, and ends it as committed or, at a fault, with the release before. */

import { MidflightError } from '../errors.ts';
import { healthBefore } from '../protocol/manifest.ts';
import { toErrorReport } from '../protocol/messages.ts';
import type { Probation } from './at-work.ts';
import type { DeployParts } from './deploy-parts.ts';
import type { DeployReport } from './deploy-request.ts';
import { finishRun, type DeployRun } from './deploy-run.ts';
import type { Intervention, Judge } from './probation.ts';
import { createLook, describeFigures } from './look.ts';
import { runHookOf } from './run-hooks.ts';
import { watchStalls } from './stall-watch.ts';
import { recordProved, removeSurplus } from './settle.ts';

/** Begins at once: nothing may happen between commit and probation that nobody sees. */
export function startProbation(parts: DeployParts, judge: Judge, run: DeployRun): Probation {
  const intervention = new AbortController();
  const ended = watch(parts, judge, run, intervention.signal);
  const started = { run, ended, end: (reason: Intervention) => intervention.abort(reason) };
  parts.atWork.enter(started);
  const { signal } = run.abort;
  if (signal.aborted) started.end('withdrawn');
  else signal.addEventListener('abort', () => started.end('withdrawn'), { once: true });
  return started;
}

async function watch(
  parts: DeployParts,
  judge: Judge,
  run: DeployRun,
  intervention: AbortSignal,
): Promise<DeployReport> {
  const { workers, history, tell } = parts;
  const release = workers.currentRelease();
  const { probationMs = 0 } = release?.manifest.settings ?? {};
  const health = release?.manifest.settings.health ?? healthBefore;
  const generation = workers.generation();
  tell('probation', `for ${probationMs} ms`, run);
  const stalls = watchStalls();
  const look = createLook(parts, run, () => stalls.hasStalled());
  const hook = release === null ? null : runHookOf(parts, run, { release, name: 'afterCommit' });
  const watched = judge.watch({ generation, probationMs, health, look, intervention });
  const verdict = await watched.finally(() => stalls.end());
  if (verdict instanceof Error)
    return revert(
      parts,
      run,
      hook,
      new MidflightError('ERR_MIDFLIGHT_PROBATION_FAILED', [verdict.message], { cause: verdict }),
    );
  if (verdict === 'withdrawn') {
    const back = history.proved() ?? '';
    return revert(parts, run, hook, new MidflightError('ERR_MIDFLIGHT_DEPLOY_WITHDRAWN', [back]));
  }
  if (verdict === 'passed' && release !== null) {
    // What can't be recorded can't stay: a start would come up on another release than the one that serves.
    try {
      recordProved(parts, release);
    } catch (error) {
      return revert(parts, run, hook, error);
    }
    await workers.prove();
    removeSurplus(parts);
  }
  tell(verdict, `release ${run.release ?? ''}${verdict === 'passed' ? describeFigures(run) : ''}`, run);
  await hook;
  return finishRun(parts, run, { result: 'committed', error: null });
}

async function revert(
  parts: DeployParts,
  run: DeployRun,
  hook: Promise<void> | null,
  why: unknown,
): Promise<DeployReport> {
  const { workers, history, tell } = parts;
  const { message } = toErrorReport(why);
  tell('rollback', message, run);
  const failed = workers.currentRelease();
  // Asked for before its workers end, and not waited for.
  const output = workers.output();
  try {
    run.wentBack = await workers.goBack();
  } catch (error) {
    const [problem = ''] = toErrorReport(error).message.split('\n');
    const both = new MidflightError('ERR_MIDFLIGHT_GOING_BACK_FAILED', [message, problem], {
      cause: error,
    });
    tell('rollback', both.message, run);
    run.output = await output;
    await hook;
    return finishRun(parts, run, { result: 'interrupted', error: both });
  }
  const back = workers.currentRelease();
  if (back !== null) history.setCurrent(back.manifest.id);
  run.output = await output;
  await hook;
  if (failed !== null)
    await runHookOf(parts, run, { release: failed, name: 'afterRollback', reason: message });
  return finishRun(parts, run, { result: 'rolled-back', error: why });
}
