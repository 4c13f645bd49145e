/** The processes that run one release as one generation, and what is asked of all of them together. */

import { MidflightError } from '../errors.ts';
import type { HealthCheck, PrepareAnswer } from '../protocol/messages.ts';
import { becomeHealthyByCommand, toHealthCheck } from './health-check.ts';
import type { RunnableRelease } from './process-host.ts';
import { ask, askWithin, isSilence, type Worker } from './worker.ts';

export interface Crew {
  readonly release: RunnableRelease;
  readonly generation: number;
  readonly members: Set<Member>;
  /** How many of them there should be. */
  wanted: number;
  /** Processes that are being started, before they are members. */
  spawningCount: number;
  /** Workers that are being started one by one, until they serve. */
  readonly starting: Set<Promise<void>>;
  /** Workers that crashed while another crew was current. */
  readonly lost: CrewLoss[];
}

export interface CrewLoss {
  readonly error: Error;
  /** When another worker is to take its place. */
  readonly delayMs: number;
}

export interface Member {
  /** The tree that it was started from. */
  readonly root: string;
  readonly worker: Worker;
  readonly startedAtMs: number;
  /** The generation as which it was started: of what came before it has nothing. */
  readonly startedAs: number;
  state: 'starting' | 'serving' | 'draining';
  /** Null from when it has left the last one, or has been given up. */
  crew: Crew | null;
}

/** `scaledTo`: how many workers the operator wants, whatever the release says. A program that is not Node runs once. */
export function toCrew(release: RunnableRelease, generation: number, scaledTo: number | null): Crew {
  const { kind, workers } = release.manifest;
  const wanted = kind === 'command' ? 1 : (scaledTo ?? workers);
  return { release, generation, wanted, members: new Set(), spawningCount: 0, starting: new Set(), lost: [] };
}

/** How many more have to be started. */
export function missingCount({ wanted, members, spawningCount }: Crew): number {
  return Math.max(0, wanted - members.size - spawningCount);
}

/** Brings a member into a crew, out of the one that it was in. */
export function joinCrew(member: Member, crew: Crew): void {
  leaveCrew(member);
  member.crew = crew;
  crew.members.add(member);
}

/** From here on its end is nobody's concern. */
export function leaveCrew(member: Member): void {
  member.crew?.members.delete(member);
  member.crew = null;
}

/** Loads and evaluates the release beside what the worker runs. Errors: why it could not, or ERR_MIDFLIGHT_HEALTH_FAILED. */
export async function prepare({ worker }: Member, { release, generation }: Crew): Promise<PrepareAnswer> {
  const answer = await load(worker, { release, generation, health: toHealthCheck(worker, release) });
  await becomeHealthyByCommand(worker, release, generation);
  return answer;
}

export interface LoadOptions {
  readonly release: RunnableRelease;
  readonly generation: number;
  readonly health: HealthCheck | null;
}

/** One that is not in a loop answers this at once. */
const SIGN_TIMEOUT_MS = 1_000;

/** The same, well by what the worker is asked itself. One whose code lets nothing else run is ended, also where the release before
 *  serves in it, which another worker takes over. */
export async function load(
  worker: Worker,
  { release, generation, health }: LoadOptions,
): Promise<PrepareAnswer> {
  const { ready, readyTimeoutMs } = release.manifest.settings;
  const options = {
    release: release.location,
    generation,
    ready: ready === 'load' ? ready : ('listen' as const),
    readyTimeoutMs,
    evaluateTimeoutMs: readyTimeoutMs,
    health,
  };
  try {
    return (await ask(worker, { type: 'prepare', options })) as PrepareAnswer;
  } catch (error) {
    if (!isSilence(error)) throw error;
    // It may be we who were stopped for that long.
    await askWithin(worker, { type: 'status' }, SIGN_TIMEOUT_MS).catch(() => worker.kill('SIGKILL'));
    const what = 'its code lets nothing else run; look for a loop that does not end';
    throw new MidflightError('ERR_MIDFLIGHT_WORKER_NOT_READY', [readyTimeoutMs, what], { cause: error });
  }
}

export async function commit(member: Member, { generation }: Crew, probationMs: number): Promise<void> {
  await ask(member.worker, { type: 'commit', generation, probationMs });
  member.state = 'serving';
}

/** Throws when no worker could commit. One that alone could not is ended, and comes back with the new release. */
export async function commitAll(crew: Crew, probationMs: number): Promise<void> {
  const members = [...crew.members];
  const results = await Promise.allSettled(members.map((member) => commit(member, crew, probationMs)));
  const failures = results.filter((result) => result.status === 'rejected');
  if (members.length > 0 && failures.length === members.length) throw failures[0]?.reason;
  for (const [index, { status }] of results.entries()) {
    if (status === 'rejected') members[index]?.worker.kill('SIGKILL');
  }
}

/** Who does not answer can't serve: it is ended, and comes back with the release that serves. */
export async function abortAll(
  members: readonly Member[],
  { generation }: { readonly generation: number },
): Promise<void> {
  await Promise.allSettled(
    members.map(async ({ worker }) => {
      try {
        await ask(worker, { type: 'abort', generation });
      } catch (error) {
        if (isSilence(error)) worker.kill('SIGKILL');
      }
    }),
  );
}

export async function pauseAll(members: Iterable<Member>): Promise<void> {
  await Promise.allSettled(
    [...members].map(async (member) => {
      member.state = 'draining';
      await ask(member.worker, { type: 'pause' });
    }),
  );
}

/** One that is being started accepts when it commits. */
export async function resumeAll(members: Iterable<Member>): Promise<void> {
  await Promise.allSettled(
    [...members].map(async (member) => {
      if (member.state === 'starting') return;
      await ask(member.worker, { type: 'resume' });
      member.state = 'serving';
    }),
  );
}

/** Ends a crew that never served. */
export function dismiss(crew: Crew): void {
  for (const member of crew.members) {
    leaveCrew(member);
    member.worker.kill('SIGKILL');
  }
}
