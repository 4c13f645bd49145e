/**
 * Going back from a release in probation to the proved one.
 *
 *   came by  | goes back by
 *   swap     | all processes point back; one that can't is replaced
 *   handoff  | the old ones accept again, with the states; the new ones drain and end
 *   restart  | the proved release starts anew
 *   a swap,  | the same: the processes that had the proved generation have left, since they had the one that was
 *   then a   | superseded, too
 *   handoff  |
 */

import type { WorkerStatus } from '../protocol/messages.ts';
import { joinCrew, resumeAll, type Crew, type Member } from './crew.ts';
import { hand } from './handoff.ts';
import type { PathParts } from './path-parts.ts';
import { STOP_TIMEOUT_MS, type RunnableRelease } from './process-host.ts';
import type { Roster } from './roster.ts';
import type { Succession } from './state-handover.ts';
import { askWithin } from './worker.ts';

/** A worker that does not go back by then is replaced. */
const ROLLBACK_TIMEOUT_MS = 10_000;
/** Another release serves already. */
const PAUSE_TIMEOUT_MS = 2_000;

/** `swap`: the processes point to the generation before. `handoff`: other processes serve, the old ones where they are still there. */
export interface WentBack {
  readonly path: 'swap' | 'handoff';
  readonly commitMs: number;
}

/** The release before the one in probation, where going back to it starts no process. */
export function warmRelease({ current, proved }: Roster): RunnableRelease | null {
  if (current === null || proved === null || proved === current) return null;
  return hasOldProcesses(proved) || isHeldBy(current, proved) ? proved.release : null;
}

/** Back to the proved release. Null where it serves already. */
export async function goBack(parts: PathParts): Promise<WentBack | null> {
  const { env, roster, launcher, replacements } = parts;
  const failed = roster.requireCurrent();
  const back = roster.proved;
  if (back === null || back === failed) return null;
  const startedAtMs = env.now();
  const path = isHeldBy(failed, back) ? 'swap' : 'handoff';
  if (hasOldProcesses(back)) await handBack(parts, failed, back);
  else await pointBack(parts, failed, back);
  await launcher.fill(back).catch(replacements.comeBackAfter);
  return { path, commitMs: env.now() - startedAtMs };
}

/** After a swap: the same processes hold both generations. */
async function pointBack(parts: PathParts, failed: Crew, back: Crew): Promise<void> {
  const { roster, launcher, replacements } = parts;
  const members = [...failed.members];
  roster.hireFor(null);
  const results = await Promise.all(members.map((member) => rollBack(member, failed, back)));
  const replaced = members.filter((_, index) => !results[index]);
  for (const member of members)
    if (!replaced.includes(member) && !member.worker.hasExited()) joinCrew(member, back);
  // Until others can take their place the replaced ones are all that there is, also for a supervisor that comes after this.
  roster.hireFor(back);
  await launcher.fill(back).catch(replacements.comeBackAfter);
  roster.makeCurrent(back, replaced.length > 0 ? failed : null);
  // Who drains would accept until it ends. One that is stuck accepts nothing.
  const paused = replaced.map(async ({ worker }) => askWithin(worker, { type: 'pause' }, PAUSE_TIMEOUT_MS));
  await Promise.allSettled(paused);
  for (const member of replaced) roster.leaving.end(member, STOP_TIMEOUT_MS);
  roster.leave(failed);
}

/** False where it never ran the release before, or has just ended: a worker of that release takes its place. */
async function rollBack({ worker }: Member, { generation }: Crew, back: Crew): Promise<boolean> {
  const generationNow = async (): Promise<number> =>
    ((await askWithin(worker, { type: 'status' }, ROLLBACK_TIMEOUT_MS)) as WorkerStatus).generation;
  try {
    const type = (await generationNow()) === generation ? 'rollback' : 'abort';
    await askWithin(worker, { type, generation }, ROLLBACK_TIMEOUT_MS);
    return (await generationNow()) === back.generation;
  } catch {
    return false;
  }
}

/** After a handoff: the old processes are still there. */
async function handBack(parts: PathParts, failed: Crew, back: Crew): Promise<void> {
  const { roster, states } = parts;
  const { quiesceTimeoutMs } = failed.release.manifest.settings;
  await states.giveBack(returnsOf(roster, failed, back), quiesceTimeoutMs);
  await resumeAll(back.members);
  roster.makeCurrent(back, failed);
  await hand(parts, failed, back);
  roster.leave(failed);
}

/** Who had the states before whom. */
function returnsOf({ successions }: Roster, failed: Crew, back: Crew): Succession[] {
  const returns = successions.map(({ from, to }) => ({ from: to, to: from }));
  return returns.filter(({ from, to }) => to.crew === back && (from.crew ?? failed) === failed);
}

/** After a handoff. */
function hasOldProcesses(back: Crew): boolean {
  return back.members.size > 0;
}

/** After swaps alone: the same processes have both generations. */
function isHeldBy(crew: Crew, back: Crew): boolean {
  const members = [...crew.members];
  return members.length > 0 && members.every(({ startedAs }) => startedAs <= back.generation);
}
