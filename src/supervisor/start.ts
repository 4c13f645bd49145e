/** The paths on which nothing serves meanwhile: the first start, and a restart. */

import { pauseAll } from './crew.ts';
import type { PathParts, Timings } from './path-parts.ts';
import type { RunnableRelease } from './process-host.ts';

/** Starts the first crew, which has no probation. Errors: why a worker could not start; none runs then. */
export async function start(
  { roster, launcher, replacements }: PathParts,
  release: RunnableRelease,
): Promise<void> {
  const crew = roster.nextCrew(release);
  await launcher.launchAll(crew);
  await launcher.commitOrDismiss(crew, 0);
  roster.makeFirst(crew);
  replacements.makeUp(crew);
}

/** Ends the current crew, and then starts the next. Errors: as of `start`; nothing serves then. */
export async function restart(
  { env, roster, launcher, replacements }: PathParts,
  release: RunnableRelease,
): Promise<Timings> {
  const before = roster.requireCurrent();
  const startedAtMs = env.now();
  roster.hireFor(null);
  await pauseAll(before.members);
  const { drainTimeoutMs } = before.release.manifest.settings;
  await Promise.allSettled(
    [...before.members].map((member) => roster.leaving.endQuickly(member, drainTimeoutMs)),
  );
  const crew = roster.nextCrew(release);
  roster.makeCurrent(crew);
  await launcher.launchAll(crew);
  const preparedAtMs = env.now();
  await launcher.commitOrDismiss(crew, release.manifest.settings.probationMs);
  replacements.makeUp(crew);
  return { prepareMs: preparedAtMs - startedAtMs, commitMs: env.now() - preparedAtMs };
}
