/**
 * The replacements: a worker of the current crew that ends unasked comes back, with back-off; its listeners stay bound meanwhile.
 */

import type { EventEmitter } from 'node:events';
import { MidflightError } from '../errors.ts';
import { createCrashes, describeCrash, type Crashes } from './crashes.ts';
import { leaveCrew, missingCount, type Crew, type CrewLoss, type Member } from './crew.ts';
import { describeExit } from './process-host.ts';
import type { Roster } from './roster.ts';
import type { WorkersEnv } from './workers-env.ts';
import type { WorkersEvents } from './workers-events.ts';

export interface ReplacementsOptions {
  readonly env: Pick<WorkersEnv, 'log' | 'now' | 'schedule'>;
  readonly events: EventEmitter<WorkersEvents>;
  readonly roster: Roster;
  /** Starts another member of a crew that serves. */
  launchOne(crew: Crew): Promise<void>;
}

export interface Replacements {
  readonly crashes: Crashes;
  /** A process of any crew has ended. */
  onExit(member: Member): Promise<void>;
  /** A worker of the current crew was lost. */
  replace(crew: Crew, loss: CrewLoss): void;
  /** For those that ended before they could commit. */
  makeUp(crew: Crew): void;
  /** A worker that was to be started could not be. */
  comeBackAfter(error: unknown): void;
}

/** Makes them; `launchOne` is called for each. */
export function createReplacements(options: ReplacementsOptions): Replacements {
  const { env, events, roster, launchOne } = options;
  const crashes = createCrashes();

  async function onExit(member: Member): Promise<void> {
    const { crew, worker, state } = member;
    leaveCrew(member);
    if (crew === null || roster.isStopping || state === 'draining') return;
    if (state === 'starting') {
      // Before its crew is current, whoever starts that one makes up for it.
      if (crew === roster.current) comeBack(crashes.retry());
      return;
    }
    const exit = describeExit(await worker.exited);
    const { pid } = worker;
    const { release, generation } = crew;
    const lifetimeMs = env.now() - member.startedAtMs;
    const report = crashes.note({ pid, release: release.manifest.id, generation, exit, lifetimeMs });
    env.log(describeCrash(report));
    const error = new MidflightError('ERR_MIDFLIGHT_WORKER_EXITED', [exit, await worker.output()]);
    const loss = { error, delayMs: report.delayMs };
    if (crew === roster.current) replace(crew, loss);
    else if (crew === roster.next) crew.lost.push(loss);
    // Its crew has been followed by another meanwhile, which lacks it if it was to go on with its processes.
    else env.schedule(() => void revive(), report.delayMs);
  }

  function replace(crew: Crew, { error, delayMs }: CrewLoss): void {
    events.emit('fault', error, crew.generation);
    comeBack(delayMs);
  }

  /** Starts a worker in the place of one that has crashed, until one stays or the crew is no longer current. */
  function comeBack(delayMs: number): void {
    env.log(`a new worker starts in ${delayMs} ms`);
    env.schedule(() => void revive(), delayMs);
  }

  async function revive(): Promise<void> {
    const crew = roster.hiring;
    if (roster.isStopping || crew === null || missingCount(crew) === 0) return;
    try {
      await launchOne(crew);
      env.log(`a new worker serves`);
    } catch (error) {
      env.log(`the new worker failed: ${String(error)}`);
      comeBack(crew === roster.hiring ? crashes.retry() : 0);
    }
  }

  return {
    crashes,
    onExit,
    replace,
    makeUp(crew) {
      for (let count = missingCount(crew); count > 0; count--) comeBack(crashes.retry());
    },
    comeBackAfter(error) {
      env.log(`a worker could not be started: ${String(error)}`);
      comeBack(crashes.retry());
    },
  };
}
