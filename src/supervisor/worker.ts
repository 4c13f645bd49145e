/** What serves the app, Node or not, as those see it who decide who serves. */

import { MidflightError } from '../errors.ts';
import type { WorkerEvent, WorkerRequest } from '../protocol/messages.ts';
import { spawnCommandWorker, toCommandWorker, type CommandWorker } from './command-worker.ts';
import type { MemberNote } from './notebook.ts';
import { adoptNodeWorker, spawnNodeWorker, type NodeWorker } from './node-worker.ts';
import type { ProcessHost, RunnableRelease } from './process-host.ts';

export type Worker = NodeWorker | CommandWorker;

export interface SpawnWorkerOptions {
  readonly host: ProcessHost;
  readonly appDirectory: string;
  readonly release: RunnableRelease;
  readonly generation: number;
  onEvent(worker: Worker, event: WorkerEvent): void;
}

/** Starts what the release asks for. A program is ready then; a Node worker has loaded nothing yet. */
export async function spawnWorker({ generation, ...options }: SpawnWorkerOptions): Promise<Worker> {
  const { id, kind } = options.release.manifest;
  const label = { generation, release: id };
  return kind === 'command'
    ? spawnCommandWorker({ ...options, label })
    : spawnNodeWorker({ ...options, label });
}

export interface AdoptWorkerOptions {
  readonly note: MemberNote;
  /** Null where nothing is to be asked of it but to end. */
  readonly release: RunnableRelease | null;
  onEvent(worker: Worker, event: WorkerEvent): void;
}

/** A worker that was started before this process; null when it has ended. */
export function adoptWorker(
  host: ProcessHost,
  { note, release, onEvent }: AdoptWorkerOptions,
): Worker | null {
  const { process, protocol, pid } = note;
  if (protocol !== null) return adoptNodeWorker(host, process, { protocol, onEvent });
  const hosted = host.adopt(process, { onMessage() {} });
  if (hosted === null) return null;
  if (release !== null) return toCommandWorker(hosted, release, pid);
  return { ...hosted, kind: 'command', checkHealth: async () => {} };
}

/** A worker that is only busy answers by then what takes no time of its own. */
const ANSWER_TIMEOUT_MS = 10_000;
/** To load modules, to migrate states, to let go of what was prepared. */
const WORK_TIMEOUT_MS = 30_000;
/** Its own `health()`, a path and an address have their time each. */
const CHECK_COUNT = 3;
/** Node takes what is more for a millisecond. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** A program that is not Node is asked for its health and nothing else, it knows signals only: null.
 *  Errors: ERR_MIDFLIGHT_WORKER_SILENT for one that is stuck, besides its own. */
export async function ask(worker: Worker, request: WorkerRequest): Promise<unknown> {
  return askWithin(worker, request, toTimeLimit(request));
}

/** The same, for what can't wait as long. Errors: `late` then. */
export async function askWithin(
  worker: Worker,
  request: WorkerRequest,
  timeoutMs: number,
  late = new MidflightError('ERR_MIDFLIGHT_WORKER_SILENT', [worker.pid, request.type, timeoutMs]),
): Promise<unknown> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(late), Math.min(timeoutMs, TIMER_MS_MAX));
  timer.unref();
  try {
    return await Promise.race([put(worker, request), promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function put(worker: Worker, request: WorkerRequest): Promise<unknown> {
  if (worker.kind === 'node') return worker.request(request);
  if (request.type === 'health') await worker.checkHealth(request.health);
  return null;
}

export function isSilence(error: unknown): boolean {
  return error instanceof MidflightError && error.code === 'ERR_MIDFLIGHT_WORKER_SILENT';
}

/** What it is given time for takes that, and a bit. */
function toTimeLimit(request: WorkerRequest): number {
  switch (request.type) {
    case 'prepare': {
      const { evaluateTimeoutMs = 0, readyTimeoutMs, health } = request.options;
      const { timeoutMs = 0, failures = 1, intervalMs = 0 } = health ?? {};
      const healthMs = failures * (CHECK_COUNT * timeoutMs + intervalMs);
      return WORK_TIMEOUT_MS + evaluateTimeoutMs + readyTimeoutMs + healthMs;
    }
    case 'health':
      return CHECK_COUNT * request.health.timeoutMs + ANSWER_TIMEOUT_MS;
    case 'drain':
    case 'carry':
      return request.timeoutMs + WORK_TIMEOUT_MS;
    case 'sendState':
      return request.quiesceTimeoutMs + request.timeoutMs + request.commitTimeoutMs + ANSWER_TIMEOUT_MS;
    case 'prove':
      return request.drainTimeoutMs + request.upgraded.spreadMs + WORK_TIMEOUT_MS;
    case 'commit':
    case 'abort':
    case 'rollback':
      return WORK_TIMEOUT_MS;
    case 'pause':
    case 'resume':
    case 'status':
    case 'sample':
    case 'openDoor':
    case 'closeDoor':
    case 'states':
    case 'receiveState':
    case 'unhold':
      return ANSWER_TIMEOUT_MS;
  }
}
