/** The step that changes what serves: a swap, a handoff or a restart. Until it has returned, what served before still does. */

import { MidflightError } from '../errors.ts';
import { toModuleVersion } from '../protocol/manifest.ts';
import { toErrorReport } from '../protocol/messages.ts';
import type { Timings } from '../supervisor/path-parts.ts';
import type { RunnableRelease } from '../supervisor/process-host.ts';
import type { DeployParts } from './deploy-parts.ts';
import type { DeployRun } from './deploy-run.ts';
import { runHookOf } from './run-hooks.ts';

/** Makes the release current by this path. Errors: ERR_MIDFLIGHT_STOPPING; why it could not, with what was current before. */
export async function apply(
  parts: DeployParts,
  run: DeployRun,
  { release, path }: { readonly release: RunnableRelease; readonly path: 'swap' | 'handoff' | 'restart' },
): Promise<void> {
  const { workers, history, tell } = parts;
  await runHookOf(parts, run, { release, name: 'beforeApply' });
  workers.requireRunning();
  run.abort.signal.throwIfAborted();
  tell('prepare', path);
  run.baseline ??= await workers.sample();
  run.generationBefore = workers.generation();
  if (path === 'swap') await swapOrHandoff(parts, run, release);
  else if (path === 'handoff') await applyTimed(run, () => workers.handoff(release, run.abort.signal));
  else await restartOrComeBack(parts, run, release);
  try {
    history.setCurrent(release.manifest.id);
  } catch (error) {
    await workers.goBack();
    throw error;
  }
  tell('commit', `generation ${workers.generation()} serves`);
}

async function applyTimed(run: DeployRun, act: () => Promise<Timings>): Promise<void> {
  const { prepareMs, ...others } = await act();
  run.timings['prepareMs'] = (run.timings['prepareMs'] ?? 0) + prepareMs;
  Object.assign(run.timings, others);
}

async function swapOrHandoff(
  { workers, history, tell }: DeployParts,
  run: DeployRun,
  release: RunnableRelease,
): Promise<void> {
  try {
    await applyTimed(run, () => workers.swap(release, run.abort.signal));
  } catch (error) {
    if (isAboutState(error) || run.abort.signal.aborted) throw error;
    const [problem] = toErrorReport(error).message.split('\n');
    const message = `the swap failed (${problem}), so a new process is tried`;
    tell('prepare', message);
    run.path = 'handoff';
    run.reasons = [...run.reasons, { code: 'MF2005', path: 'handoff', message }];
    await applyTimed(run, () => workers.handoff(release, run.abort.signal));
    const stuck = release.manifest.modules.get(failedModule(error) ?? '');
    if (stuck !== undefined) history.noteUnswappable(toModuleVersion(stuck));
  }
}

async function restartOrComeBack(
  { workers }: DeployParts,
  run: DeployRun,
  release: RunnableRelease,
): Promise<void> {
  try {
    await applyTimed(run, () => workers.restart(release));
  } catch (error) {
    await workers.goBack();
    throw error;
  }
}

/** A handoff would fail on the same, after clients have waited for it. */
function isAboutState(error: unknown): boolean {
  return error instanceof MidflightError && error.code.startsWith('ERR_MIDFLIGHT_STATE_');
}

/** The module that could not be evaluated; null where it was not that. */
function failedModule(error: unknown): string | null {
  if (!(error instanceof MidflightError) || error.code !== 'ERR_MIDFLIGHT_EVALUATION_FAILED') return null;
  return error.details[1] ?? null;
}
