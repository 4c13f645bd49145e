/**
 * The workers of an app. Owns which processes serve, which release they serve and which one to go back to.
 *
 * Invariants:
 * 1. `current` changes only here: at the first start, at the commit of a swap or handoff, and when going back.
 * 2. A worker of `current` that ends unasked comes back, with back-off; its listeners stay bound meanwhile.
 * 3. The processes of `proved` are not ended before `current` has passed probation.
 * 4. What changes outside has been noted before, so that another supervisor can go on from there.
 *
 *   event            | swap                                  | handoff
 *   apply            | prepare in all, commit in all         | start all, pass the states, commit in all, old ones pause
 *   probation passed | prove in all                          | drain the old ones, end them
 *   probation failed | all point back                        | old ones accept again, new ones drain and end
 */

import { EventEmitter } from 'node:events';
import { MidflightError } from '../errors.ts';
import type { ProveAnswer, WorkerEvent, WorkerStatus } from '../protocol/messages.ts';
import {
  abortAll,
  commit,
  commitAll,
  dismiss,
  joinCrew,
  leaveCrew,
  pauseAll,
  prepare,
  resumeAll,
  toCrew,
  type Crew,
  type Member,
} from './crew.ts';
import type { ProtocolRange } from '../protocol/versions.ts';
import { watchBalance } from './balance.ts';
import { createCrashes, describeCrash, type CrashReport } from './crashes.ts';
import { handConnections } from './hand-connections.ts';
import { createLeaving } from './leaving.ts';
import { watchMemory, type Watched } from './memory-watch.ts';
import { toCrewNote, toMemberNote, type Notebook, type Phase } from './notebook.ts';
import { describeExit, STOP_TIMEOUT_MS, type RunnableRelease } from './process-host.ts';
import { recoverCrews } from './recovery.ts';
import { toWorkerReport, type WorkerReport } from './worker-report.ts';
import { createStateHandover, type StateTimings, type Succession } from './state-handover.ts';
import { ask, askWithin, type Worker } from './worker.ts';
import type { WorkersEnv } from './workers-env.ts';

/** A worker that does not go back by then is replaced. */
const ROLLBACK_TIMEOUT_MS = 10_000;

/** Why fresh processes should take over, in the form of a plan's reason. */
export interface Outgrown {
  readonly code: string;
  readonly path: 'handoff';
  readonly message: string;
}

export interface WorkersEvents {
  /** Something speaks against the release that runs as this generation. */
  fault: [error: Error, generation: number];
  /** A worker has outgrown what the release allows: fresh ones should take over. */
  outgrown: [reason: Outgrown, generation: number];
  /** Work that still ran in an old process has written to states that had been passed already. */
  stateLost: [message: string];
}

export interface Timings extends Partial<StateTimings> {
  readonly prepareMs: number;
  readonly commitMs: number;
}

/** `swap`: the processes point to the generation before. `handoff`: other processes serve, the old ones where they are still there. */
export interface WentBack {
  readonly path: 'swap' | 'handoff';
  readonly commitMs: number;
}

export interface Workers {
  readonly events: EventEmitter<WorkersEvents>;
  currentRelease(): RunnableRelease | null;
  generation(): number;
  /** How many workers there are to be. */
  wantedCount(): number;
  start(release: RunnableRelease): Promise<void>;
  /** Goes on where another supervisor was killed: with what was proved. Returns what was under way, in words. */
  recover(
    notebook: Notebook,
    readRelease: (id: string) => Promise<RunnableRelease | null>,
  ): Promise<string | null>;
  swap(release: RunnableRelease): Promise<Timings>;
  handoff(release: RunnableRelease): Promise<Timings>;
  restart(release: RunnableRelease): Promise<Timings>;
  /** The current release has passed; nothing older is kept after this. */
  prove(): Promise<void>;
  /** The release before the one in probation, where going back to it starts no process. */
  warmRelease(): RunnableRelease | null;
  /** Back to the proved release. Null where it serves already. */
  goBack(): Promise<WentBack | null>;
  checkHealth(): Promise<void>;
  /** Errors: ERR_MIDFLIGHT_STOPPING once `stop` was called, and from each path then. */
  requireRunning(): void;
  /** Starts or ends workers of the current release; null for as many as it asks for. Returns how many there are to be.
   *  Errors: ERR_MIDFLIGHT_SCALE_REFUSED for a program that is not Node; why a worker could not start, with nothing changed. */
  scale(count: number | null): Promise<number>;
  /** How many the releases that are started from now on have; null for as many as they ask for. */
  scaleNext(count: number | null): void;
  /** What the agents of all workers speak. */
  protocols(): readonly ProtocolRange[];
  /** The last worker that ended unasked. */
  lastCrash(): CrashReport | null;
  status(): Promise<readonly WorkerReport[]>;
  /** Lets what is in flight end, for `timeoutMs` at most, and then the workers. */
  stop(timeoutMs: number): Promise<void>;
  /** Ends all of them at once. */
  cut(): void;
}

/** Makes the set of workers; none is started yet. */
export function createWorkers(env: WorkersEnv): Workers {
  const events = new EventEmitter<WorkersEvents>();
  const states = createStateHandover(env);
  const crashes = createCrashes();
  let current: Crew | null = null;
  let proved: Crew | null = null;
  /** Of the last handoff. */
  let successions: readonly Succession[] = [];
  /** What is about to be current again. */
  let returning: Crew | null = null;
  let generationCount = 0;
  let isStopping = false;
  let scaledTo: number | null = null;
  /** What is to follow `current`. */
  let next: { readonly crew: Crew; phase: Phase } | null = null;
  const leaving = createLeaving({
    date: () => env.date(),
    log: (message) => env.log(message),
    onChange: note,
  });

  function note(): void {
    env.note({
      generationCount,
      proved: proved && toCrewNote(proved),
      current: current && toCrewNote(current),
      next: next && { ...toCrewNote(next.crew), phase: next.phase },
      successions: successions.map(({ from, to }) => ({ from: from.worker.id, to: to.worker.id })),
      leaving: [...leaving.members].map(([member, deadlineAt]) => ({ ...toMemberNote(member), deadlineAt })),
      isStopping,
    });
  }

  const memory = watchMemory({
    current: () => current && toWatched(current),
    rssBytesOf: (pid) => env.rssBytesOf(pid),
    now: () => env.now(),
    onOutgrown: (message, generation) =>
      void events.emit('outgrown', { code: 'MF2012', path: 'handoff', message }, generation),
  });

  const balance = watchBalance({
    env,
    members: () =>
      next !== null || isStopping || current !== proved || current === null
        ? []
        : [...current.members].filter(({ state }) => state === 'serving'),
  });

  // --- one worker -----------------------------------------------------------------------------------------------

  async function launch(crew: Crew, predecessor?: Member): Promise<Member> {
    const { release, generation } = crew;
    const worker = await env.spawn({ release, generation, onEvent });
    const member = toMember(crew, worker);
    if (worker.kind === 'command') return member;
    try {
      if (predecessor !== undefined) await states.early({ from: predecessor, to: member });
      await prepare(member, crew);
    } catch (error) {
      leaveCrew(member);
      worker.kill('SIGKILL');
      throw error;
    }
    return member;
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

  function onEvent(worker: Worker, event: WorkerEvent): void {
    if (event.type === 'stateLost') noteLost(worker, event.names);
    if (event.type === 'crashed') crashes.announce(worker.pid, event.generation, event.error);
    if (event.type !== 'rolledBack') return;
    env.log(`worker ${worker.pid} went back from generation ${event.generation}: ${event.error.message}`);
    const { message, code, stack } = event.error;
    events.emit('fault', Object.assign(new Error(message), { code, stack }), event.generation);
  }

  function noteLost({ pid }: Worker, names: readonly string[]): void {
    const message = `what worker ${pid} wrote after its states had been passed is lost: ${names.join(', ')}`;
    env.log(message);
    events.emit('stateLost', message);
  }

  async function onExit(member: Member): Promise<void> {
    const { crew, worker, state } = member;
    leaveCrew(member);
    if (crew === null || isStopping || state === 'draining') return;
    if (state === 'starting') {
      // Before its crew is current, whoever starts that one makes up for it.
      if (crew === current) comeBack(crashes.retry());
      return;
    }
    const exit = describeExit(await worker.exited);
    const { pid } = worker;
    const { release, generation } = crew;
    const lifetimeMs = env.now() - member.startedAtMs;
    const report = crashes.note({ pid, release: release.manifest.id, generation, exit, lifetimeMs });
    env.log(describeCrash(report));
    const error = new MidflightError('ERR_MIDFLIGHT_WORKER_EXITED', [exit, await worker.output()]);
    if (crew === current) replace(crew, report.delayMs, error);
    else crew.lost.push({ delayMs: report.delayMs, error });
  }

  function replace(crew: Crew, delayMs: number, error: Error): void {
    events.emit('fault', error, crew.generation);
    comeBack(delayMs);
  }

  /** What happened to its workers between their commit and this moment happened to what is current now. */
  function makeCurrent(crew: Crew): void {
    current = crew;
    next = null;
    note();
    for (const { delayMs, error } of crew.lost.splice(0)) replace(crew, delayMs, error);
  }

  /** Starts a worker in the place of one that has crashed, until one stays or the crew is no longer current. */
  function comeBack(delayMs: number): void {
    env.log(`a new worker starts in ${delayMs} ms`);
    env.schedule(() => void revive(), delayMs);
  }

  async function revive(): Promise<void> {
    const crew = current;
    if (isStopping || crew === null || crew.members.size >= crew.wanted) return;
    try {
      await launchOne(crew);
      env.log(`a new worker serves`);
    } catch (error) {
      env.log(`the new worker failed: ${String(error)}`);
      comeBack(crew === current ? crashes.retry() : 0);
    }
  }

  // --- a crew ---------------------------------------------------------------------------------------------------

  function nextCrew(release: RunnableRelease): Crew {
    const crew = toCrew(release, ++generationCount, scaledTo);
    next = { crew, phase: 'preparing' };
    note();
    return crew;
  }

  function setPhase(phase: Phase): void {
    if (next !== null) next.phase = phase;
    note();
  }

  function forgetNext(): void {
    next = null;
    note();
  }

  /** Another member for a crew that serves already. */
  async function launchOne(crew: Crew): Promise<void> {
    const member = await launch(crew);
    note();
    try {
      requireStill(member, crew);
      await commit(member, crew, 0);
      requireStill(member, crew);
    } catch (error) {
      leaveCrew(member);
      member.worker.kill('SIGKILL');
      throw error;
    }
  }

  /** A deploy may have made another crew current meanwhile, which has given it up or does not know of it. */
  function requireStill(member: Member, crew: Crew): void {
    if ((crew === current || crew === returning) && member.crew === crew) return;
    throw new MidflightError('ERR_MIDFLIGHT_INVALID_STATE', ['Another release serves by now']);
  }

  /** For those that ended before they could commit. */
  function makeUp(crew: Crew): void {
    for (let count = crew.members.size; count < crew.wanted; count++) comeBack(crashes.retry());
  }

  /** All or none. The first one comes after the first of those before, and so on. */
  async function launchAll(crew: Crew, before: readonly Member[] = []): Promise<Succession[]> {
    const wanted = Array.from({ length: crew.wanted }, (_, index) => launch(crew, before[index]));
    const results = await Promise.allSettled(wanted);
    const failure = results.find((result) => result.status === 'rejected');
    if (failure !== undefined) {
      dismiss(crew);
      forgetNext();
      throw failure.reason;
    }
    const members = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    return members.flatMap((to, index) => {
      const from = before[index];
      return from === undefined ? [] : [{ from, to }];
    });
  }

  async function commitOrDismiss(crew: Crew, probationMs: number): Promise<void> {
    setPhase('committing');
    try {
      await commitAll(crew, probationMs);
    } catch (error) {
      dismiss(crew);
      forgetNext();
      throw error;
    }
  }

  /** As many workers as the release asks for. */
  async function fill(crew: Crew): Promise<void> {
    const missing = Math.max(0, crew.wanted - crew.members.size);
    const started = Array.from({ length: missing }, async () => launchOne(crew));
    const failure = (await Promise.allSettled(started)).find((result) => result.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
  }

  /** The old ones stay through probation at most, and then as long as they may drain. */
  async function hand(from: Crew, to: Crew): Promise<void> {
    const timeoutMs =
      to.release.manifest.settings.probationMs + from.release.manifest.settings.drainTimeoutMs;
    await handConnections(env, { from: from.members, to: to.members, timeoutMs });
    states.unhold(from.members);
  }

  function requireRunning(): void {
    if (isStopping) throw new MidflightError('ERR_MIDFLIGHT_STOPPING', []);
  }

  function requireCurrent(): Crew {
    if (current === null) throw new MidflightError('ERR_MIDFLIGHT_INVALID_STATE', ['No release runs yet']);
    return current;
  }

  // --- paths ----------------------------------------------------------------------------------------------------

  async function start(release: RunnableRelease): Promise<void> {
    const crew = nextCrew(release);
    await launchAll(crew);
    await commitOrDismiss(crew, 0);
    proved = crew;
    makeCurrent(crew);
    makeUp(crew);
  }

  async function recover(
    notebook: Notebook,
    readRelease: (id: string) => Promise<RunnableRelease | null>,
  ): Promise<string | null> {
    generationCount = notebook.generationCount;
    isStopping = notebook.isStopping;
    const found = await recoverCrews({ env, notebook, leaving, scaledTo, readRelease, onEvent, onExit });
    successions = found.successions;
    proved = found.proved ?? found.current;
    current = found.current ?? found.proved;
    note();
    if (isStopping || current === null) return found.dropped;
    if (current !== proved) await goBack().catch(comeBackAfter);
    else await fill(current).catch(comeBackAfter);
    // Some may have been started, or have stopped accepting, for another count.
    await resumeAll(current.members);
    await shrink(current);
    await prove();
    return found.dropped;
  }

  function comeBackAfter(error: unknown): void {
    env.log(`a worker could not be started: ${String(error)}`);
    comeBack(crashes.retry());
  }

  async function swap(release: RunnableRelease): Promise<Timings> {
    const before = requireCurrent();
    const crew = nextCrew(release);
    const startedAtMs = env.now();
    // Another count is a handoff.
    crew.wanted = before.wanted;
    const members = await prepareAll(before, crew);
    const preparedAtMs = env.now();
    adopt(before, crew);
    try {
      await commitAll(crew, release.manifest.settings.probationMs);
    } catch (error) {
      // Nobody has committed: the processes are what they were.
      await abortAll(members, crew);
      adopt(crew, before);
      throw error;
    }
    return { prepareMs: preparedAtMs - startedAtMs, commitMs: env.now() - preparedAtMs };
  }

  /** Those that serve, also the one that has taken a crashed one's place meanwhile. One that has not got so far is given up, and
   *  who has started it tries again with what is current then. */
  async function prepareAll(before: Crew, crew: Crew): Promise<Member[]> {
    const members: Member[] = [];
    for (;;) {
      const late = [...before.members].filter((each) => each.state === 'serving' && !members.includes(each));
      if (late.length === 0 && members.length > 0) break;
      members.push(...late);
      const prepared = await Promise.allSettled(late.map((member) => prepare(member, crew)));
      const failure = prepared.find((result) => result.status === 'rejected');
      if (failure === undefined && late.length > 0) continue;
      await abortAll(members, crew);
      forgetNext();
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
  function adopt(before: Crew, crew: Crew): void {
    for (const member of before.members) joinCrew(member, crew);
    makeCurrent(crew);
  }

  async function handoff(release: RunnableRelease): Promise<Timings> {
    requireRunning();
    const before = requireCurrent();
    const crew = nextCrew(release);
    const startedAtMs = env.now();
    const serving = [...before.members].filter(({ state }) => state === 'serving');
    successions = await launchAll(crew, serving);
    const preparedAtMs = env.now();
    const stateTimings = await passAndCommit(crew, before);
    makeCurrent(crew);
    makeUp(crew);
    await hand(before, crew);
    void states.noteAbandoned(serving.slice(successions.length));
    // Other programs can't be paused: theirs is the only way to stop accepting, to end gracefully on SIGTERM.
    if (before !== proved || before.release.manifest.kind === 'command') leaving.leave(before);
    return { prepareMs: preparedAtMs - startedAtMs, commitMs: env.now() - preparedAtMs, ...stateTimings };
  }

  /** Without states the new ones accept before the old ones stop: at no moment does nobody. With states there is one, in which
   *  connections wait in the kernel. */
  async function passAndCommit(crew: Crew, before: Crew): Promise<StateTimings | null> {
    const { quiesceTimeoutMs, probationMs } = crew.release.manifest.settings;
    setPhase('passing');
    try {
      const timings = await states.pass(successions, quiesceTimeoutMs);
      setPhase('committing');
      await commitAll(crew, probationMs);
      return timings;
    } catch (error) {
      dismiss(crew);
      await resumeAll(before.members);
      forgetNext();
      throw error;
    }
  }

  async function restart(release: RunnableRelease): Promise<Timings> {
    const before = requireCurrent();
    const startedAtMs = env.now();
    await pauseAll(before.members);
    const { drainTimeoutMs } = before.release.manifest.settings;
    await Promise.allSettled([...before.members].map((member) => leaving.endQuickly(member, drainTimeoutMs)));
    const crew = nextCrew(release);
    makeCurrent(crew);
    await launchAll(crew);
    const preparedAtMs = env.now();
    await commitOrDismiss(crew, release.manifest.settings.probationMs);
    makeUp(crew);
    return { prepareMs: preparedAtMs - startedAtMs, commitMs: env.now() - preparedAtMs };
  }

  async function prove(): Promise<void> {
    const passed = requireCurrent();
    const before = proved;
    proved = passed;
    note();
    if (before !== null && before !== passed) leaving.leave(before);
    for (const member of passed.members) {
      // Answered when the generation before has ended, which nothing here has to wait for.
      proveIn(member, passed).catch((error: unknown) => {
        env.log(`worker ${member.worker.pid} could not retire the old generation: ${String(error)}`);
      });
    }
  }

  async function proveIn({ worker }: Member, { generation, release }: Crew): Promise<void> {
    const { drainTimeoutMs, policy, upgraded } = release.manifest.settings;
    const { maxRetained } = policy;
    const answer = await ask(worker, { type: 'prove', generation, drainTimeoutMs, maxRetained, upgraded });
    const { retainedCount } = (answer as ProveAnswer | null) ?? { retainedCount: 0 };
    if (retainedCount <= maxRetained) return;
    const message = `worker ${worker.pid} holds ${retainedCount} retired generations, more than policy.maxRetained (${maxRetained}) allows`;
    events.emit('outgrown', { code: 'MF2011', path: 'handoff', message }, generation);
  }

  function warmRelease(): RunnableRelease | null {
    if (current === null || proved === null || proved === current) return null;
    return hasOldProcesses(proved) || isHeldBy(current, proved) ? proved.release : null;
  }

  async function goBack(): Promise<WentBack | null> {
    const failed = requireCurrent();
    const back = proved;
    if (back === null || back === failed) return null;
    const startedAtMs = env.now();
    const path = isHeldBy(failed, back) ? 'swap' : 'handoff';
    if (hasOldProcesses(back)) await handBack(failed, back);
    else await pointBack(failed, back);
    await fill(back).catch(comeBackAfter);
    return { path, commitMs: env.now() - startedAtMs };
  }

  /** After a swap: the same processes hold both generations. */
  async function pointBack(failed: Crew, back: Crew): Promise<void> {
    const members = [...failed.members];
    const results = await Promise.all(members.map((member) => rollBack(member, failed, back)));
    const replaced = members.filter((_, index) => !results[index]);
    for (const member of members)
      if (!replaced.includes(member) && !member.worker.hasExited()) joinCrew(member, back);
    // Until others can take their place the replaced ones are all that there is, also for a supervisor that comes after this.
    returning = back;
    await fill(back).catch(comeBackAfter);
    returning = null;
    makeCurrent(back);
    for (const member of replaced) leaving.end(member, STOP_TIMEOUT_MS);
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
  async function handBack(failed: Crew, back: Crew): Promise<void> {
    const { quiesceTimeoutMs } = failed.release.manifest.settings;
    await states.giveBack(returnsOf(failed, back), quiesceTimeoutMs);
    await resumeAll(back.members);
    makeCurrent(back);
    await hand(failed, back);
    leaving.leave(failed);
  }

  /** As many workers as `count` says, or as the release asks for. All that are missing start, or none stays. */
  async function scale(count: number | null): Promise<number> {
    const crew = requireCurrent();
    if (crew.release.manifest.kind === 'command') throw new MidflightError('ERR_MIDFLIGHT_SCALE_REFUSED', []);
    const before = { scaledTo, wanted: crew.wanted };
    scaledTo = count;
    crew.wanted = count ?? crew.release.manifest.workers;
    try {
      await fill(crew);
    } catch (error) {
      scaledTo = before.scaledTo;
      crew.wanted = before.wanted;
      throw error;
    } finally {
      await shrink(crew);
    }
    return crew.wanted;
  }

  async function shrink(crew: Crew): Promise<void> {
    const members = [...crew.members];
    const [to, surplus] = [members.slice(0, crew.wanted), members.slice(crew.wanted)];
    const { drainTimeoutMs, upgraded } = crew.release.manifest.settings;
    await handConnections(env, { from: surplus, to, timeoutMs: drainTimeoutMs });
    void states.noteAbandoned(surplus);
    for (const member of surplus) leaving.end(member, drainTimeoutMs, upgraded);
  }

  /** Who had the states before whom. */
  function returnsOf(failed: Crew, back: Crew): Succession[] {
    const returns = successions.map(({ from, to }) => ({ from: to, to: from }));
    return returns.filter(({ from, to }) => to.crew === back && (from.crew ?? failed) === failed);
  }

  function everybody(): Set<Member> {
    return new Set([...(current?.members ?? []), ...(proved?.members ?? []), ...leaving.members.keys()]);
  }

  return {
    events,
    currentRelease: () => current?.release ?? null,
    generation: () => current?.generation ?? 0,
    wantedCount: () => current?.wanted ?? 0,
    start,
    recover,
    swap,
    handoff,
    restart,
    prove,
    warmRelease,
    goBack,
    scale,
    requireRunning,
    scaleNext: (count) => void (scaledTo = count),
    protocols: () =>
      [...everybody()].flatMap(({ worker }) => (worker.kind === 'node' ? [worker.protocol()] : [])),
    lastCrash: () => crashes.last(),
    async checkHealth() {
      const crew = requireCurrent();
      const { health } = crew.release.manifest.settings;
      if (health === null) return;
      const check = { path: health.path, timeoutMs: health.timeoutMs };
      const serving = [...crew.members].filter(({ state }) => state === 'serving');
      await Promise.all(serving.map(({ worker }) => ask(worker, { type: 'health', health: check })));
    },
    status: async () =>
      Promise.all([...everybody()].map((member) => toWorkerReport(member, leaving.members.get(member)))),
    async stop(timeoutMs) {
      isStopping = true;
      note();
      memory.dispose();
      balance.dispose();
      const members = [...everybody()];
      await Promise.allSettled(members.map(({ worker }) => ask(worker, { type: 'pause' })));
      await Promise.allSettled(members.map((member) => leaving.endQuickly(member, timeoutMs)));
    },
    cut() {
      isStopping = true;
      for (const { worker } of everybody()) worker.kill('SIGKILL');
    },
  };
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

function toWatched({ generation, members, release }: Crew): Watched {
  const serving = [...members].filter(({ state }) => state === 'serving');
  const pids = serving.map(({ worker }) => worker.pid);
  return { generation, pids, maxRssMib: release.manifest.settings.policy.maxRssMib };
}
