/** All that the decisions about workers need of the outside, so that a test can put another world in its place. */

import path from 'node:path';
import type { WorkerEvent } from '../protocol/messages.ts';
import { readRssBytes } from './memory-watch.ts';
import type { ProcessHost, RunnableRelease } from './process-host.ts';
import { spawnWorker, type Worker } from './worker.ts';

export interface WorkersEnv {
  /** A program is ready then; a Node worker has loaded nothing yet. */
  spawn(wanted: {
    readonly release: RunnableRelease;
    readonly generation: number;
    onEvent(worker: Worker, event: WorkerEvent): void;
  }): Promise<Worker>;
  /** Live connections that a worker gives away go to these, in turn. */
  route(fromPid: number, toPids: readonly number[]): void;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  schedule(act: () => void, delayMs: number): void;
  /** Resident memory of a process; null when it has ended. */
  rssBytesOf(pid: number): Promise<number | null>;
  /** Where a worker listens for the states of another. */
  stateSocketOf(pid: number): string;
  log(message: string): void;
}

export interface WorkersEnvOptions {
  readonly host: ProcessHost;
  readonly appDirectory: string;
  log(message: string): void;
}

/** The world as it is. */
export function createWorkersEnv({ host, appDirectory, log }: WorkersEnvOptions): WorkersEnv {
  return {
    spawn: async (wanted) => spawnWorker({ host, appDirectory, ...wanted }),
    route: (fromPid, toPids) => host.route(fromPid, toPids),
    now: () => performance.now(),
    schedule: (act, delayMs) => void setTimeout(act, delayMs),
    rssBytesOf: readRssBytes,
    stateSocketOf: (pid) => path.join(appDirectory, '.midflight', `state-${pid}.sock`),
    log,
  };
}
