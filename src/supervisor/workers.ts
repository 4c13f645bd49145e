/**
 * The workers of an app. Owns which processes serve, which release they serve and which one to go back to.
 *
 * Invariants:
 * 1. `current` changes only here: at the first start, at the commit of a swap or handoff, and when going back.
 * 2. A worker of `current` that ends unasked comes back, with back-off; its listeners stay bound meanwhile.
 * 3. The processes of `proved` are not ended before `current` has passed probation.
 *
 *   event            | swap                                  | handoff
 *   apply            | prepare in all, commit in all         | start all, commit in all, old ones pause
 *   probation passed | prove in all                          | drain the old ones, end them
 *   probation failed | all point back                        | old ones accept again, new ones drain and end
 */

import { EventEmitter } from 'node:events';
import type { WriteStream } from 'node:fs';
import { MidflightError } from '../errors.ts';
import type {
  DrainAnswer,
  PrepareAnswer,
  ProveAnswer,
  WorkerEvent,
  WorkerRequest,
  WorkerStatus,
} from '../protocol/messages.ts';
import { describeExit, STOP_TIMEOUT_MS, type AppProcess, type RunnableRelease } from './app-process.ts';
import { spawnCommandWorker } from './command-worker.ts';
import type { Listeners } from './listeners.ts';
import { spawnNodeWorker, type NodeWorker } from './node-worker.ts';

const BACK_OFF_MS_MIN = 100;
const BACK_OFF_MS_MAX = 10_000;
/** A worker that lived this long did not crash because it was started. */
const BACK_OFF_RESET_MS = 10_000;

export interface WorkersOptions {
  readonly appDirectory: string;
  readonly listeners: Listeners;
  readonly sinks: readonly (WriteStream | NodeJS.WriteStream)[];
  readonly log: (message: string) => void;
}

export interface WorkersEvents {
  /** Something speaks against the release that runs as this generation. */
  fault: [error: Error, generation: number];
  /** A worker holds more retired generations than the release allows. */
  crowded: [message: string, generation: number];
}

/** The processes that run one release as one generation. */
interface Crew {
  readonly release: RunnableRelease;
  readonly generation: number;
  readonly members: Set<Member>;
  /** Workers that crashed while another crew was current. */
  readonly lost: { readonly member: Member; readonly error: Error }[];
}

interface Member {
  /** The tree that it was started from. */
  readonly root: string;
  readonly process: AppProcess | NodeWorker;
  state: 'starting' | 'serving' | 'draining';
  readonly startedAt: number;
}

export interface WorkerReport extends Partial<WorkerStatus> {
  readonly pid: number;
  readonly state: Member['state'];
  /** Why only this is known of it: it is not Node, or it did not answer. */
  readonly status: 'known' | 'unasked' | 'silent';
}

export interface Workers {
  readonly events: EventEmitter<WorkersEvents>;
  currentRelease(): RunnableRelease | null;
  generation(): number;
  start(release: RunnableRelease): Promise<void>;
  swap(release: RunnableRelease): Promise<{ prepareMs: number; commitMs: number }>;
  handoff(release: RunnableRelease): Promise<{ prepareMs: number; commitMs: number }>;
  restart(release: RunnableRelease): Promise<{ prepareMs: number; commitMs: number }>;
  /** The current release has passed; nothing older is kept after this. */
  prove(): Promise<void>;
  /** Back to the proved release. */
  goBack(): Promise<void>;
  checkHealth(): Promise<void>;
  status(): Promise<readonly WorkerReport[]>;
  stop(timeoutMs: number): Promise<void>;
}

/** Makes the set of workers; none is started yet. */
export function createWorkers(options: WorkersOptions): Workers {
  const events = new EventEmitter<WorkersEvents>();
  let current: Crew | null = null;
  let proved: Crew | null = null;
  const leaving = new Set<Member>();
  let generationCount = 0;
  let backOffMs = BACK_OFF_MS_MIN;
  let isStopping = false;

  // --- one worker -----------------------------------------------------------------------------------------------

  async function launch(crew: Crew): Promise<Member> {
    const { release } = crew;
    if (release.manifest.kind === 'command') {
      const process = await spawnCommandWorker({ ...options, release });
      return join(crew, process, 'serving');
    }
    const worker = spawnNodeWorker({ ...options, release, onEvent });
    const member = join(crew, worker, 'starting');
    try {
      await prepare(worker, crew);
    } catch (error) {
      crew.members.delete(member);
      worker.child.kill('SIGKILL');
      throw error;
    }
    return member;
  }

  function join(crew: Crew, process: AppProcess, state: Member['state']): Member {
    const { root } = crew.release.location;
    const member: Member = { root, process, state, startedAt: performance.now() };
    crew.members.add(member);
    void process.exited.then(() => onExit(crew, member));
    return member;
  }

  async function prepare(worker: NodeWorker, { release, generation }: Crew): Promise<PrepareAnswer> {
    const { ready, readyTimeoutMs, health } = release.manifest.settings;
    const answer = await worker.request({
      type: 'prepare',
      options: {
        release: release.location,
        generation,
        ready,
        readyTimeoutMs,
        health: health === null ? null : { path: health.path, timeoutMs: health.timeoutMs },
      },
    });
    return answer as PrepareAnswer;
  }

  async function commit(member: Member, crew: Crew, probationMs: number): Promise<void> {
    await ask(member, { type: 'commit', generation: crew.generation, probationMs });
    member.state = 'serving';
  }

  /** Programs that are not Node are asked nothing: they know signals only. */
  async function ask(member: Member, request: WorkerRequest): Promise<unknown> {
    return 'request' in member.process ? member.process.request(request) : null;
  }

  function onEvent(worker: NodeWorker, event: WorkerEvent): void {
    if (event.type !== 'rolledBack') return;
    options.log(`worker ${worker.pid} went back from generation ${event.generation}: ${event.error.message}`);
    const { message, code, stack } = event.error;
    events.emit('fault', Object.assign(new Error(message), { code, stack }), event.generation);
  }

  function onExit(crew: Crew, member: Member): void {
    const wasMember = crew.members.delete(member);
    if (!wasMember || isStopping || member.state !== 'serving') return;
    void member.process.exited.then((exit) => {
      const how = describeExit(exit);
      options.log(
        `worker ${member.process.pid} of release ${crew.release.manifest.id} ended unasked (${how})`,
      );
      const error = new MidflightError('ERR_MIDFLIGHT_WORKER_EXITED', [how, member.process.output()]);
      if (crew === current) replace(crew, member, error);
      else crew.lost.push({ member, error });
    });
  }

  function replace(crew: Crew, member: Member, error: Error): void {
    events.emit('fault', error, crew.generation);
    comeBack(member);
  }

  /** What happened to its workers between their commit and this moment happened to what is current now. */
  function makeCurrent(crew: Crew): void {
    current = crew;
    for (const { member, error } of crew.lost.splice(0)) replace(crew, member, error);
  }

  /** Starts a worker in the place of one that has crashed, until one stays or the crew is no longer current. */
  function comeBack(crashed: Member): void {
    if (performance.now() - crashed.startedAt > BACK_OFF_RESET_MS) backOffMs = BACK_OFF_MS_MIN;
    const delayMs = backOffMs;
    backOffMs = Math.min(backOffMs * 2, BACK_OFF_MS_MAX);
    options.log(`a new worker starts in ${delayMs} ms`);
    setTimeout(() => void revive(crashed), delayMs);
  }

  async function revive(crashed: Member): Promise<void> {
    const crew = current;
    if (isStopping || crew === null || crew.members.size >= crew.release.manifest.workers) return;
    try {
      await commit(await launch(crew), crew, 0);
      options.log(`a new worker serves`);
    } catch (error) {
      options.log(`the new worker failed: ${String(error)}`);
      if (crew === current) comeBack(crashed);
    }
  }

  // --- a crew ---------------------------------------------------------------------------------------------------

  function toCrew(release: RunnableRelease): Crew {
    return { release, generation: ++generationCount, members: new Set(), lost: [] };
  }

  /** All or none. */
  async function launchAll(crew: Crew): Promise<void> {
    const count = crew.release.manifest.kind === 'command' ? 1 : crew.release.manifest.workers;
    const results = await Promise.allSettled(Array.from({ length: count }, () => launch(crew)));
    const failure = results.find((result) => result.status === 'rejected');
    if (failure === undefined) return;
    dismiss(crew);
    throw failure.reason;
  }

  function dismiss(crew: Crew): void {
    const members = [...crew.members];
    crew.members.clear();
    for (const { process } of members) process.child.kill('SIGKILL');
  }

  /** Throws when no worker could commit. One that alone could not is ended, and comes back with the new release. */
  async function commitAll(crew: Crew, probationMs: number): Promise<void> {
    const members = [...crew.members];
    const results = await Promise.allSettled(members.map((member) => commit(member, crew, probationMs)));
    const failures = results.filter((result) => result.status === 'rejected');
    if (members.length > 0 && failures.length === members.length) throw failures[0]?.reason;
    for (const [index, { status }] of results.entries()) {
      if (status === 'rejected') members[index]?.process.child.kill('SIGKILL');
    }
  }

  async function pauseAll(crew: Crew): Promise<void> {
    await Promise.allSettled(
      [...crew.members].map(async (member) => {
        member.state = 'draining';
        await ask(member, { type: 'pause' });
      }),
    );
  }

  /** Drains in the background: a deploy does not wait for the last client of the old code. */
  function leave(crew: Crew): void {
    const { drainTimeoutMs } = crew.release.manifest.settings;
    for (const member of crew.members) {
      member.state = 'draining';
      leaving.add(member);
      void drainAndEnd(member, drainTimeoutMs).finally(() => leaving.delete(member));
    }
    crew.members.clear();
  }

  async function drainAndEnd(member: Member, timeoutMs: number): Promise<void> {
    try {
      const left = (await ask(member, { type: 'drain', timeoutMs })) as DrainAnswer | null;
      if (left?.timedOut === true) {
        const { inFlightCount, openCount, upgradedCount } = left;
        options.log(
          `worker ${member.process.pid} was not drained after ${timeoutMs} ms: ` +
            `${inFlightCount} requests, ${openCount} connections, ${upgradedCount} WebSockets are cut`,
        );
      }
    } catch (error) {
      options.log(`worker ${member.process.pid} could not be drained: ${String(error)}`);
    }
    // A program that is not Node drains on SIGTERM by itself.
    await member.process.end('request' in member.process ? STOP_TIMEOUT_MS : timeoutMs);
  }

  // --- paths ----------------------------------------------------------------------------------------------------

  async function start(release: RunnableRelease): Promise<void> {
    const crew = toCrew(release);
    await launchAll(crew);
    await commitOrDismiss(crew, 0);
    makeCurrent(crew);
    proved = crew;
  }

  async function commitOrDismiss(crew: Crew, probationMs: number): Promise<void> {
    try {
      await commitAll(crew, probationMs);
    } catch (error) {
      dismiss(crew);
      throw error;
    }
  }

  async function swap(release: RunnableRelease): Promise<{ prepareMs: number; commitMs: number }> {
    const before = requireCurrent();
    const crew = toCrew(release);
    const startedAt = performance.now();
    const members = [...before.members].filter(({ state }) => state === 'serving');
    const prepared = await Promise.allSettled(
      members.map(({ process }) => prepare(process as NodeWorker, crew)),
    );
    const failure = prepared.find((result) => result.status === 'rejected');
    if (failure !== undefined || members.length === 0) {
      await abortAll(members, crew);
      throw failure?.reason ?? new MidflightError('ERR_MIDFLIGHT_WORKER_UNREACHABLE', ['prepare']);
    }
    const preparedAt = performance.now();
    adopt(before, crew);
    try {
      await commitAll(crew, release.manifest.settings.probationMs);
    } catch (error) {
      // Nobody has committed: the processes are what they were.
      await abortAll(members, crew);
      adopt(crew, before);
      throw error;
    }
    return { prepareMs: preparedAt - startedAt, commitMs: performance.now() - preparedAt };
  }

  async function abortAll(members: readonly Member[], { generation }: Crew): Promise<void> {
    await Promise.allSettled(members.map((member) => ask(member, { type: 'abort', generation })));
  }

  /** The same processes, under the next release. A worker that crashes from here on comes back with that one. */
  function adopt(before: Crew, crew: Crew): void {
    for (const member of before.members) {
      crew.members.add(member);
      void member.process.exited.then(() => onExit(crew, member));
    }
    before.members.clear();
    makeCurrent(crew);
  }

  async function handoff(release: RunnableRelease): Promise<{ prepareMs: number; commitMs: number }> {
    const before = requireCurrent();
    const crew = toCrew(release);
    const startedAt = performance.now();
    await launchAll(crew);
    const preparedAt = performance.now();
    // The new ones accept before the old ones stop: at no moment does nobody.
    await commitOrDismiss(crew, release.manifest.settings.probationMs);
    makeCurrent(crew);
    await pauseAll(before);
    // Other programs can't be paused: theirs is the only way to stop accepting, to end gracefully on SIGTERM.
    if (before !== proved || before.release.manifest.kind === 'command') leave(before);
    return { prepareMs: preparedAt - startedAt, commitMs: performance.now() - preparedAt };
  }

  async function restart(release: RunnableRelease): Promise<{ prepareMs: number; commitMs: number }> {
    const before = requireCurrent();
    const startedAt = performance.now();
    await pauseAll(before);
    const members = [...before.members];
    before.members.clear();
    await Promise.allSettled(
      members.map((member) => drainQuickly(member, before.release.manifest.settings.drainTimeoutMs)),
    );
    const crew = toCrew(release);
    makeCurrent(crew);
    await launchAll(crew);
    const preparedAt = performance.now();
    await commitOrDismiss(crew, release.manifest.settings.probationMs);
    return { prepareMs: preparedAt - startedAt, commitMs: performance.now() - preparedAt };
  }

  async function drainQuickly(member: Member, timeoutMs: number): Promise<void> {
    await ask(member, { type: 'quiesce', timeoutMs }).catch(() => null);
    await member.process.end(STOP_TIMEOUT_MS);
  }

  async function prove(): Promise<void> {
    const passed = requireCurrent();
    const before = proved;
    proved = passed;
    if (before !== null && before !== passed) leave(before);
    for (const member of passed.members) {
      // Answered when the generation before has ended, which nothing here has to wait for.
      proveIn(member, passed).catch((error: unknown) => {
        options.log(`worker ${member.process.pid} could not retire the old generation: ${String(error)}`);
      });
    }
  }

  async function proveIn(member: Member, { generation, release }: Crew): Promise<void> {
    const { drainTimeoutMs, policy } = release.manifest.settings;
    const { maxRetained } = policy;
    const answer = await ask(member, { type: 'prove', generation, drainTimeoutMs, maxRetained });
    const { retainedCount } = (answer as ProveAnswer | null) ?? { retainedCount: 0 };
    if (retainedCount <= maxRetained) return;
    const message = `worker ${member.process.pid} holds ${retainedCount} retired generations, more than policy.maxRetained (${maxRetained}) allows`;
    events.emit('crowded', message, generation);
  }

  async function goBack(): Promise<void> {
    const failed = requireCurrent();
    const back = proved;
    if (back === null || back === failed) return;
    if (back.members.size === 0) await pointBack(failed, back);
    else await resumeAll(back, failed);
    await fill(back);
  }

  /** After a swap: the same processes hold both generations. */
  async function pointBack(failed: Crew, back: Crew): Promise<void> {
    const results = [...failed.members].map(async (member) => {
      try {
        const status = (await ask(member, { type: 'status' })) as WorkerStatus;
        if (status.generation !== failed.generation) return member;
        await ask(member, { type: 'rollback', generation: failed.generation });
        return member;
      } catch {
        // It never ran the release before, or it has just ended: a worker of that release takes its place.
        leaving.add(member);
        return null;
      }
    });
    const kept = (await Promise.all(results)).filter((member) => member !== null);
    const replaced = [...failed.members].filter((member) => !kept.includes(member));
    failed.members.clear();
    for (const member of kept) {
      back.members.add(member);
      void member.process.exited.then(() => onExit(back, member));
    }
    makeCurrent(back);
    for (const member of replaced)
      void drainAndEnd(member, STOP_TIMEOUT_MS).finally(() => leaving.delete(member));
  }

  /** After a handoff: the old processes are still there. */
  async function resumeAll(back: Crew, failed: Crew): Promise<void> {
    await Promise.allSettled(
      [...back.members].map(async (member) => {
        await ask(member, { type: 'resume' });
        member.state = 'serving';
      }),
    );
    makeCurrent(back);
    await pauseAll(failed);
    leave(failed);
  }

  /** As many workers as the release asks for. */
  async function fill(crew: Crew): Promise<void> {
    const wanted = crew.release.manifest.kind === 'command' ? 1 : crew.release.manifest.workers;
    const missing = Math.max(0, wanted - crew.members.size);
    await Promise.all(
      Array.from({ length: missing }, async () => {
        await commit(await launch(crew), crew, 0);
      }),
    );
  }

  function requireCurrent(): Crew {
    if (current === null) throw new MidflightError('ERR_MIDFLIGHT_INVALID_STATE', ['No release runs yet']);
    return current;
  }

  async function report(member: Member): Promise<WorkerReport> {
    const known = { pid: member.process.pid, state: member.state };
    if (!('request' in member.process)) return { ...known, status: 'unasked', roots: [member.root] };
    const status = (await ask(member, { type: 'status' }).catch(() => null)) as WorkerStatus | null;
    return { ...known, ...status, status: status === null ? 'silent' : 'known' };
  }

  return {
    events,
    currentRelease: () => current?.release ?? null,
    generation: () => current?.generation ?? 0,
    start,
    swap,
    handoff,
    restart,
    prove,
    goBack,
    async checkHealth() {
      const crew = requireCurrent();
      const { health } = crew.release.manifest.settings;
      if (health === null) return;
      const check = { path: health.path, timeoutMs: health.timeoutMs };
      const serving = [...crew.members].filter(({ state }) => state === 'serving');
      await Promise.all(serving.map((member) => ask(member, { type: 'health', health: check })));
    },
    async status() {
      const members = new Set([...(current?.members ?? []), ...(proved?.members ?? []), ...leaving]);
      return Promise.all([...members].map(report));
    },
    async stop(timeoutMs) {
      isStopping = true;
      const members = new Set([...(current?.members ?? []), ...(proved?.members ?? []), ...leaving]);
      await Promise.allSettled([...members].map((member) => ask(member, { type: 'pause' })));
      await Promise.allSettled([...members].map((member) => drainQuickly(member, timeoutMs)));
    },
  };
}
