/** The handoff: fresh processes start beside those that serve, are passed their states, and take over. */

import { commitAll, dismiss, resumeAll, type Crew, type Member } from './crew.ts';
import { handConnections } from './hand-connections.ts';
import type { PathParts, Timings } from './path-parts.ts';
import type { RunnableRelease } from './process-host.ts';
import type { StateTimings } from './state-handover.ts';

/** Errors: why fresh ones could not take over. The old ones serve on then. */
export async function handoff(
  parts: PathParts,
  release: RunnableRelease,
  signal?: AbortSignal,
): Promise<Timings> {
  const { env, roster, launcher, replacements, states } = parts;
  roster.requireRunning();
  const before = roster.requireCurrent();
  const crew = roster.nextCrew(release);
  const startedAtMs = env.now();
  const serving = [...before.members].filter(({ state }) => state === 'serving');
  roster.setSuccessions(await launcher.launchAll(crew, { before: serving, signal }));
  const preparedAtMs = env.now();
  const stateTimings = await passAndCommit(parts, { crew, before, signal });
  roster.makeCurrent(crew, before === roster.proved ? null : before);
  replacements.makeUp(crew);
  await hand(parts, before, crew);
  void states.noteAbandoned(withoutSuccessor(parts, serving));
  // Other programs can't be paused: theirs is the only way to stop accepting, to end gracefully on SIGTERM.
  if (before !== roster.proved || before.release.manifest.kind === 'command') roster.leave(before);
  return { prepareMs: preparedAtMs - startedAtMs, commitMs: env.now() - preparedAtMs, ...stateTimings };
}

/** `to` accepts: `from` stops to, and gives its connections. The old ones stay through probation at most, and then as long as they may
 *  drain. */
export async function hand({ env, states }: PathParts, from: Crew, to: Crew): Promise<void> {
  const timeoutMs = to.release.manifest.settings.probationMs + from.release.manifest.settings.drainTimeoutMs;
  await handConnections(env, { from: from.members, to: to.members, timeoutMs });
  states.unhold(from.members);
}

/** Without states the new ones accept before the old ones stop: at no moment does nobody. With states there is one, in which
 *  connections wait in the kernel. */
async function passAndCommit(
  parts: PathParts,
  {
    crew,
    before,
    signal,
  }: { readonly crew: Crew; readonly before: Crew; readonly signal: AbortSignal | undefined },
): Promise<StateTimings | null> {
  const { roster, states } = parts;
  const { quiesceTimeoutMs, probationMs } = crew.release.manifest.settings;
  roster.setPhase('passing');
  try {
    const timings = await states.pass(roster.successions, quiesceTimeoutMs);
    signal?.throwIfAborted();
    roster.requireRunning();
    roster.setPhase('committing');
    await commitAll(crew, probationMs);
    states.noteUncommitted(roster.successions);
    return timings;
  } catch (error) {
    dismiss(crew);
    if (roster.isStopping) states.unhold(before.members);
    else await resumeAll(before.members);
    roster.forgetNext();
    throw error;
  }
}

function withoutSuccessor({ roster }: PathParts, serving: readonly Member[]): Member[] {
  return serving.slice(roster.successions.length);
}
