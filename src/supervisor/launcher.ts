/** Starts the workers of a crew: one, those that are missing, or all of them or none. */

import { MidflightError } from '../errors.ts';
import type { WorkerEvent } from '../protocol/messages.ts';
import {
  commit,
  commitAll,
  dismiss,
  joinCrew,
  leaveCrew,
  missingCount,
  prepare,
  type Crew,
  type Member,
} from './crew.ts';
import { becomeHealthyByCommand } from './health-check.ts';
import type { Roster } from './roster.ts';
import { endWithOutput } from './sampling.ts';
import type { StateHandover, Succession } from './state-handover.ts';
import type { Worker } from './worker.ts';
import type { WorkersEnv } from './workers-env.ts';

export interface LauncherOptions {
  readonly env: Pick<WorkersEnv, 'spawn' | 'now'>;
  readonly roster: Roster;
  readonly states: StateHandover;
  onEvent(worker: Worker, event: WorkerEvent): void;
  onExit(member: Member): void;
}

export interface LaunchOptions {
  readonly before?: readonly Member[];
  /** Ends all of them at once, with its reason as the error. */
  readonly signal?: AbortSignal | undefined;
}

export interface Launcher {
  /** Another member for a crew that serves already. */
  launchOne(crew: Crew): Promise<void>;
  /** As many workers as the crew wants, also those that were being started already. Errors: the first that comes; the others stay. */
  fill(crew: Crew): Promise<void>;
  /** All or none, prepared. The first one comes after the first of those before, and so on. */
  launchAll(crew: Crew, options?: LaunchOptions): Promise<Succession[]>;
  /** Errors: of a worker where none could commit; they have ended then. */
  commitOrDismiss(crew: Crew, probationMs: number): Promise<void>;
}

/** Makes it; whatever it starts tells `onEvent` and `onExit`. */
export function createLauncher({ env, roster, states, onEvent, onExit }: LauncherOptions): Launcher {
  async function launch(crew: Crew, predecessor?: Member, signal?: AbortSignal): Promise<Member> {
    const member = await spawn(crew);
    const { worker } = member;
    const { release, generation } = crew;
    try {
      roster.requireRunning();
      signal?.throwIfAborted();
      if (worker.kind === 'command') await becomeHealthyByCommand(worker, release, generation);
      if (worker.kind === 'command') return member;
      if (predecessor !== undefined) await states.early({ from: predecessor, to: member });
      await prepare(member, crew);
    } catch (error) {
      leaveCrew(member);
      throw await endWithOutput(error, worker);
    }
    return member;
  }

  /** What is counted as being spawned is a member in the same step. */
  async function spawn(crew: Crew): Promise<Member> {
    const { release, generation } = crew;
    crew.spawningCount++;
    try {
      return toMember(crew, await env.spawn({ release, generation, onEvent }));
    } finally {
      crew.spawningCount--;
    }
  }

  function toMember(crew: Crew, worker: Worker): Member {
    const { root } = crew.release.location;
    const state = worker.kind === 'command' ? 'serving' : 'starting';
    const startedAs = crew.generation;
    const member: Member = { root, worker, state, startedAtMs: env.now(), startedAs, crew: null };
    joinCrew(member, crew);
    void worker.exited.then(() => onExit(member));
    return member;
  }

  async function launchOne(crew: Crew): Promise<void> {
    const started = launchAndCommit(crew);
    crew.starting.add(started);
    return started.finally(() => crew.starting.delete(started));
  }

  async function launchAndCommit(crew: Crew): Promise<void> {
    const member = await launch(crew);
    roster.note();
    try {
      requireStill(member, crew);
      await commit(member, crew, 0);
      requireStill(member, crew);
    } catch (error) {
      giveUp(member, crew);
      throw error;
    }
  }

  /** A program accepts from when it runs, so it ends what it has been asked. */
  function giveUp(member: Member, { release }: Crew): void {
    if (member.worker.kind === 'command') {
      roster.leaving.end(member, release.manifest.settings.drainTimeoutMs);
      return;
    }
    leaveCrew(member);
    member.worker.kill('SIGKILL');
  }

  /** A deploy may have made another crew current meanwhile, which has given it up or does not know of it. */
  function requireStill(member: Member, crew: Crew): void {
    if (crew === roster.hiring && member.crew === crew) return;
    throw new MidflightError('ERR_MIDFLIGHT_INVALID_STATE', ['Another release serves by now']);
  }

  async function fill(crew: Crew): Promise<void> {
    for (let count = missingCount(crew); count > 0; count--) void launchOne(crew).catch(() => null);
    let failure: PromiseRejectedResult | undefined;
    // What crashes meanwhile comes back meanwhile.
    while (crew.starting.size > 0) {
      const results = await Promise.allSettled(crew.starting);
      failure ??= results.find((result) => result.status === 'rejected');
    }
    if (failure !== undefined) throw failure.reason;
  }

  async function launchAll(crew: Crew, { before = [], signal }: LaunchOptions = {}): Promise<Succession[]> {
    const wanted = Array.from({ length: crew.wanted }, (_, index) => launch(crew, before[index], signal));
    const stop = (): void => dismiss(crew);
    signal?.addEventListener('abort', stop);
    const results = await Promise.allSettled(wanted);
    signal?.removeEventListener('abort', stop);
    const failure = results.find((result) => result.status === 'rejected');
    if (failure !== undefined || signal?.aborted === true) {
      dismiss(crew);
      roster.forgetNext();
      throw failure === undefined || signal?.aborted === true ? signal?.reason : failure.reason;
    }
    const members = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    return members.flatMap((to, index) => {
      const from = before[index];
      return from === undefined ? [] : [{ from, to }];
    });
  }

  async function commitOrDismiss(crew: Crew, probationMs: number): Promise<void> {
    roster.setPhase('committing');
    try {
      await commitAll(crew, probationMs);
    } catch (error) {
      dismiss(crew);
      roster.forgetNext();
      throw error;
    }
  }

  return { launchOne, fill, launchAll, commitOrDismiss };
}
