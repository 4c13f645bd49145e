/** The hooks of a run: told as they end, and kept with it. */

import type { RunnableRelease } from '../supervisor/process-host.ts';
import type { DeployParts } from './deploy-parts.ts';
import type { DeployRun } from './deploy-run.ts';
import { runHook, toHookError, type HookName } from './hooks.ts';

const results: Readonly<Record<HookName, string>> = {
  beforeApply: 'applying',
  afterCommit: 'committed',
  afterRollback: 'rolled-back',
};

/** Runs one, where the release has it. Fresh processes of the same release are no deploy of it. Errors: ERR_MIDFLIGHT_HOOK_FAILED,
 *  of `beforeApply` alone: after a commit it undoes nothing. */
export async function runHookOf(
  { tell }: DeployParts,
  run: DeployRun,
  {
    release,
    name,
    reason,
  }: { readonly release: RunnableRelease; readonly name: HookName; readonly reason?: string },
): Promise<void> {
  const previous = run.previous?.manifest.id ?? null;
  if (previous === release.manifest.id) return;
  const path = previous === null ? 'start' : run.path;
  const facts = { previous, path, result: results[name], ...(reason === undefined ? {} : { reason }) };
  // Where nothing is applied yet, who gives the deploy up does not wait for it.
  const signal = name === 'beforeApply' ? run.abort.signal : undefined;
  const report = await runHook(release, name, facts, signal);
  if (report === null) return;
  run.hooks.push(report);
  const error = report.outcome === 'passed' ? null : toHookError(report);
  tell('hook', error?.message ?? `${name} passed in ${Math.round(report.durationMs)} ms`);
  if (error !== null && name === 'beforeApply') throw error;
}
