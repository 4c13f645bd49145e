/** The commands that a release brings for its own deploy. Each has a deadline; none of the release before is needed. */

import { MidflightError } from '../errors.ts';
import { runCommand } from '../release/command.ts';
import type { RunnableRelease } from '../supervisor/process-host.ts';
import { toCommandEnvironment } from '../supervisor/command-environment.ts';

export const hookNames = ['beforeApply', 'afterCommit', 'afterRollback'] as const;
export type HookName = (typeof hookNames)[number];

/** What a hook is told, as MIDFLIGHT_ variables. */
export interface HookFacts {
  readonly previous: string | null;
  readonly path: string;
  /** What the deploy has come to by then: `applying`, `committed` or `rolled-back`. */
  readonly result: string;
  /** Why the release before is back. */
  readonly reason?: string;
}

/** What became of a hook. */
export interface HookReport {
  readonly name: HookName;
  readonly command: string;
  readonly outcome: 'passed' | 'failed' | 'timed-out';
  readonly exitCode: number | null;
  readonly durationMs: number;
  /** The last of what it printed. */
  readonly output: string;
}

/** Of what a hook printed that much is kept. */
const OUTPUT_LENGTH_MAX = 8_192;

/** Runs a hook in the release's own tree; null where it has none of that name. At the deadline all that it has started in its
 *  group ends, as it does where `signal` is aborted. Shape: a failure is a report, not a rejection. */
export async function runHook(
  { manifest, location }: RunnableRelease,
  name: HookName,
  { previous, path, result, reason = '' }: HookFacts,
  signal?: AbortSignal,
): Promise<HookReport | null> {
  const { [name]: command, timeoutMs } = manifest.settings.hooks;
  if (command === null) return null;
  const startedAt = performance.now();
  const env = toCommandEnvironment(process.env, {
    HOOK: name,
    RELEASE: manifest.id,
    RELEASE_ROOT: location.root,
    COMMIT: manifest.commit ?? '',
    PREVIOUS: previous ?? '',
    PATH: path,
    RESULT: result,
    REASON: reason,
  });
  const { exitCode, timedOut, output } = await runCommand(command, [], {
    cwd: location.root,
    env,
    timeoutMs,
    shell: true,
    signal,
  }).catch((error: unknown) => ({
    exitCode: null,
    timedOut: false,
    output: String(signal?.aborted === true ? signal.reason : error),
  }));
  return {
    name,
    command,
    outcome: timedOut ? 'timed-out' : exitCode === 0 ? 'passed' : 'failed',
    exitCode,
    durationMs: performance.now() - startedAt,
    output: output.slice(-OUTPUT_LENGTH_MAX),
  };
}

/** What a hook that did not pass means to whoever deploys. */
export function toHookError({
  name,
  command,
  outcome,
  exitCode,
  durationMs,
  output,
}: HookReport): MidflightError {
  const how =
    outcome === 'timed-out'
      ? `ran into its deadline after ${Math.round(durationMs)} ms`
      : `exit code ${exitCode}`;
  return new MidflightError('ERR_MIDFLIGHT_HOOK_FAILED', [name, command, how, output]);
}
