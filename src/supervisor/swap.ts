/** The swap: the processes that serve prepare the next release beside the one that they run, and point to it when all have. */

import { MidflightError } from '../errors.ts';
import { abortAll, commitAll, joinCrew, leaveCrew, prepare, type Crew, type Member } from './crew.ts';
import type { PathParts, Timings } from './path-parts.ts';
import type { RunnableRelease } from './process-host.ts';
import type { Roster } from './roster.ts';

/** Errors: of a worker that could not prepare, or commit where none could. The processes are what they were then. */
export async function swap(
  { env, roster }: PathParts,
  release: RunnableRelease,
  signal?: AbortSignal,
): Promise<Timings> {
  const before = roster.requireCurrent();
  const crew = roster.nextCrew(release);
  const startedAtMs = env.now();
  // Another count is a handoff.
  crew.wanted = before.wanted;
  const members = await prepareAll(roster, before, crew);
  const preparedAtMs = env.now();
  try {
    signal?.throwIfAborted();
    roster.requireRunning();
  } catch (error) {
    await abortAll(members, crew);
    roster.forgetNext();
    throw error;
  }
  adopt(roster, before, crew);
  try {
    await commitAll(crew, release.manifest.settings.probationMs);
  } catch (error) {
    // Nobody has committed: the processes are what they were.
    await abortAll(members, crew);
    adopt(roster, crew, before);
    throw error;
  }
  return { prepareMs: preparedAtMs - startedAtMs, commitMs: env.now() - preparedAtMs };
}

/** Those that serve, also the one that has taken a crashed one's place meanwhile. One that has not got so far is given up, and
 *  who has started it tries again with what is current then. */
async function prepareAll(roster: Roster, before: Crew, crew: Crew): Promise<Member[]> {
  const members: Member[] = [];
  for (;;) {
    const late = [...before.members].filter((each) => each.state === 'serving' && !members.includes(each));
    if (late.length === 0 && members.length > 0) break;
    members.push(...late);
    const prepared = await Promise.allSettled(late.map((member) => prepare(member, crew)));
    const failure = prepared.find((result) => result.status === 'rejected');
    if (failure === undefined && late.length > 0) continue;
    await abortAll(members, crew);
    roster.forgetNext();
    throw failure?.reason ?? new MidflightError('ERR_MIDFLIGHT_WORKER_UNREACHABLE', ['prepare']);
  }
  for (const member of before.members) {
    if (members.includes(member)) continue;
    leaveCrew(member);
    member.worker.kill('SIGKILL');
  }
  return members;
}

/** The same processes, under the next release. A worker that crashes from here on comes back with that one. */
function adopt(roster: Roster, before: Crew, crew: Crew): void {
  for (const member of before.members) joinCrew(member, crew);
  roster.makeCurrent(crew);
}
