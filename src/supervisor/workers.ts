/**
 * The workers of an app: puts together the roster, which owns who serves, and the paths, which change it.
 *
 *   event            | swap                                  | handoff
 *   apply            | prepare in all, commit in all         | start all, pass the states, commit in all, old ones pause
 *   probation passed | prove in all                          | drain the old ones, end them
 *   probation failed | all point back                        | old ones accept again, new ones drain and end
 */

import { EventEmitter } from 'node:events';
import { withoutOwnFrames, type WorkerEvent } from '../protocol/messages.ts';
import type { ServiceSample } from '../protocol/service-sample.ts';
import type { ProtocolRange } from '../protocol/versions.ts';
import { watchBalance } from './balance.ts';
import type { CrashReport, Crashes } from './crashes.ts';
import { resumeAll, type Crew } from './crew.ts';
import { goBack, warmRelease, type WentBack } from './going-back.ts';
import { handoff } from './handoff.ts';
import { checkHealthOf } from './health-check.ts';
import { createLauncher, type Launcher } from './launcher.ts';
import { watchMemory, type Watched } from './memory-watch.ts';
import type { Notebook } from './notebook.ts';
import type { PathParts, Timings } from './path-parts.ts';
import type { RunnableRelease } from './process-host.ts';
import { prove } from './proving.ts';
import { recoverCrews } from './recovery.ts';
import { createReplacements } from './replacements.ts';
import { createRoster, type Roster } from './roster.ts';
import { outputOf, sampleCrew } from './sampling.ts';
import { scale, shrink } from './scaling.ts';
import { restart, start } from './start.ts';
import { createStateHandover } from './state-handover.ts';
import { swap } from './swap.ts';
import { toWorkerReport, type WorkerReport } from './worker-report.ts';
import { askWithin, type Worker } from './worker.ts';
import type { WorkersEnv } from './workers-env.ts';
import type { StateLoser, WorkersEvents } from './workers-events.ts';

/** A service manager waits for the stop. */
const PAUSE_TIMEOUT_MS = 2_000;

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
  /** Until it commits, `signal` ends it, with its reason as the error. */
  swap(release: RunnableRelease, signal?: AbortSignal): Promise<Timings>;
  handoff(release: RunnableRelease, signal?: AbortSignal): Promise<Timings>;
  restart(release: RunnableRelease): Promise<Timings>;
  /** The current release has passed; nothing older is kept after this. */
  prove(): Promise<void>;
  /** The release before the one in probation, where going back to it starts no process. */
  warmRelease(): RunnableRelease | null;
  /** Back to the proved release. Null where it serves already. */
  goBack(): Promise<WentBack | null>;
  checkHealth(): Promise<void>;
  /** How the current release has served in the last minute; null where nobody knows. */
  sample(): Promise<ServiceSample | null>;
  /** What the workers of the current release have printed last. */
  output(): Promise<string>;
  /** Errors: ERR_MIDFLIGHT_STOPPING once `stop` was called, and from each path then. */
  requireRunning(): void;
  isStopping(): boolean;
  /** Generations up to this one have been counted by another keeper. */
  countFrom(generation: number): void;
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
  const onLost = (message: string, by: StateLoser): void => {
    env.log(message);
    events.emit('stateLost', message, by);
  };
  const roster = createRoster({ env, onLoss: (crew, loss) => replacements.replace(crew, loss) });
  const launchOne: Launcher['launchOne'] = async (crew) => launcher.launchOne(crew);
  const replacements = createReplacements({ env, events, roster, launchOne });
  const { crashes, onExit } = replacements;
  const states = createStateHandover(env, (message) => onLost(message, null));
  const onEvent = toEventListener({ env, events, crashes, onLost });
  const launcher = createLauncher({ env, roster, states, onEvent, onExit: (member) => void onExit(member) });
  const parts: PathParts = { env, roster, launcher, replacements, states };
  const watches = watch(env, roster, events);

  async function recover(
    notebook: Notebook,
    readRelease: (id: string) => Promise<RunnableRelease | null>,
  ): Promise<string | null> {
    const { leaving, scaledTo } = roster;
    roster.resume(notebook);
    const found = await recoverCrews({ env, notebook, leaving, scaledTo, readRelease, onEvent, onExit });
    roster.recall(found);
    const { current, proved } = roster;
    if (roster.isStopping || current === null) return found.dropped;
    if (current !== proved) await goBack(parts).catch(replacements.comeBackAfter);
    else await launcher.fill(current).catch(replacements.comeBackAfter);
    const serving = roster.requireCurrent();
    // Some may have been started, or have stopped accepting, for another count.
    await resumeAll(serving.members);
    await shrink(parts, serving);
    prove(parts, events);
    return found.dropped;
  }

  return {
    events,
    currentRelease: () => roster.current?.release ?? null,
    generation: () => roster.current?.generation ?? 0,
    wantedCount: () => roster.current?.wanted ?? 0,
    start: async (release) => start(parts, release),
    recover,
    swap: async (release, signal) => swap(parts, release, signal),
    handoff: async (release, signal) => handoff(parts, release, signal),
    restart: async (release) => restart(parts, release),
    prove: async () => prove(parts, events),
    warmRelease: () => warmRelease(roster),
    goBack: async () => goBack(parts),
    scale: async (count) => scale(parts, count),
    requireRunning: () => roster.requireRunning(),
    isStopping: () => roster.isStopping,
    countFrom: (generation) => roster.countFrom(generation),
    scaleNext: (count) => roster.scaleTo(count),
    protocols: () =>
      [...roster.everybody()].flatMap(({ worker }) => (worker.kind === 'node' ? [worker.protocol()] : [])),
    lastCrash: () => crashes.last(),
    checkHealth: async () => checkHealth(roster.requireCurrent()),
    sample: async () => (roster.current === null ? null : sampleCrew(roster.current)),
    output: async () => outputOf([...(roster.current?.members ?? [])].map(({ worker }) => worker)),
    status: async () => {
      const { members } = roster.leaving;
      return Promise.all([...roster.everybody()].map((each) => toWorkerReport(each, members.get(each))));
    },
    async stop(timeoutMs) {
      roster.stop();
      watches.dispose();
      const unready = roster.unready();
      const members = [...roster.everybody()].filter((member) => !unready.includes(member));
      for (const { worker } of unready) worker.kill('SIGKILL');
      await Promise.allSettled(unready.map(({ worker }) => worker.exited));
      const paused = members.map(({ worker }) => askWithin(worker, { type: 'pause' }, PAUSE_TIMEOUT_MS));
      await Promise.allSettled(paused);
      await Promise.allSettled(members.map((member) => roster.leaving.endQuickly(member, timeoutMs)));
    },
    cut() {
      roster.stop();
      for (const { worker } of roster.everybody()) worker.kill('SIGKILL');
    },
  };
}

interface Listening {
  readonly env: WorkersEnv;
  readonly events: EventEmitter<WorkersEvents>;
  readonly crashes: Crashes;
  onLost(message: string, by: StateLoser): void;
}

function toEventListener({
  env,
  events,
  crashes,
  onLost,
}: Listening): (worker: Worker, event: WorkerEvent) => void {
  return ({ pid }, event) => {
    if (event.type === 'stateLost')
      onLost(
        `what worker ${pid} wrote after its states had been passed is lost: ${event.names.join(', ')}`,
        event.generation,
      );
    if (event.type === 'crashed') crashes.announce(pid, event.generation, event.error);
    if (event.type !== 'rolledBack') return;
    env.log(`worker ${pid} went back from generation ${event.generation}: ${event.error.message}`);
    const { code, stack } = event.error;
    // Where it was thrown is what shows it; our own stack says nothing.
    const error = new Error(withoutOwnFrames(stack));
    events.emit('fault', Object.assign(error, { code, stack }), event.generation);
  };
}

/** What looks at the workers all the time. */
function watch(
  env: WorkersEnv,
  roster: Roster,
  events: EventEmitter<WorkersEvents>,
): { readonly dispose: () => void } {
  const memory = watchMemory({
    current: () => roster.current && toWatched(roster.current),
    rssBytesOf: (pid) => env.rssBytesOf(pid),
    now: () => env.now(),
    onOutgrown: (message, generation) =>
      void events.emit('outgrown', { code: 'MF2012', path: 'handoff', message }, generation),
  });
  const balance = watchBalance({
    env,
    members: () =>
      roster.isSettled && roster.current !== null
        ? [...roster.current.members].filter(({ state }) => state === 'serving')
        : [],
  });
  return {
    dispose() {
      memory.dispose();
      balance.dispose();
    },
  };
}

function toWatched({ generation, members, release }: Crew): Watched {
  const serving = [...members].filter(({ state }) => state === 'serving');
  const pids = serving.map(({ worker }) => worker.pid);
  return { generation, pids, maxRssMib: release.manifest.settings.policy.maxRssMib };
}

async function checkHealth({ members, release, generation }: Crew): Promise<void> {
  const serving = [...members].filter(({ state }) => state === 'serving');
  await Promise.all(serving.map(async ({ worker }) => checkHealthOf(worker, release, generation)));
}
