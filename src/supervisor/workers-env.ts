/** All that the decisions about workers need of the outside, so that a test can put another world in its place. */

import path from 'node:path';
import type { HostedRecord } from '../protocol/keeper-messages.ts';
import type { WorkerEvent } from '../protocol/messages.ts';
import { protocols } from '../protocol/versions.ts';
import { readRssBytes } from './memory-watch.ts';
import type { ProcessHost, RunnableRelease } from './process-host.ts';
import type { MemberNote, Notebook } from './notebook.ts';
import { adoptWorker, spawnWorker, type AdoptWorkerOptions, type Worker } from './worker.ts';

export interface WorkersEnv {
  /** A program is ready then; a Node worker has loaded nothing yet. */
  spawn(wanted: {
    readonly release: RunnableRelease;
    readonly generation: number;
    onEvent(worker: Worker, event: WorkerEvent): void;
  }): Promise<Worker>;
  /** Live connections that a worker gives away go to these, in turn. */
  route(fromPid: number, toPids: readonly number[]): void;
  /** Processes that a supervisor before this one has started. */
  inherited(): readonly MemberNote[];
  /** One of these; null when it has ended. */
  adopt(options: AdoptWorkerOptions): Worker | null;
  /** What the next supervisor is to know, should this one be killed after this call. */
  note(notebook: Notebook): void;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** Milliseconds since 1970. */
  date(): number;
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
  /** Nothing outlives this process where it is not given. */
  note?(notebook: Notebook): void;
}

/** The world as it is. */
export function createWorkersEnv({
  host,
  appDirectory,
  log,
  note = () => {},
}: WorkersEnvOptions): WorkersEnv {
  return {
    spawn: async (wanted) => spawnWorker({ host, appDirectory, ...wanted }),
    route: (fromPid, toPids) => host.route(fromPid, toPids),
    inherited: () => host.inherited().map(toMemberNote),
    adopt: (options) => adoptWorker(host, options),
    note,
    date: () => Date.now(),
    now: () => performance.now(),
    schedule: (act, delayMs) => void setTimeout(act, delayMs),
    rssBytesOf: readRssBytes,
    stateSocketOf: (pid) => path.join(appDirectory, '.midflight', `state-${pid}.sock`),
    log,
  };
}

/** Of one that nobody has noted. Such a worker is of this very version: it was about to be noted. */
function toMemberNote({ id, pid, isConnected }: HostedRecord): MemberNote {
  return { process: id, pid, protocol: isConnected ? protocols.worker : null };
}
