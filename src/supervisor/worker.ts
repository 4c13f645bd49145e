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

/** A program that is not Node is asked for its health and nothing else, it knows signals only: null. */
export async function ask(worker: Worker, request: WorkerRequest): Promise<unknown> {
  if (worker.kind === 'node') return worker.request(request);
  if (request.type === 'health') await worker.checkHealth(request.health);
  return null;
}

/** The same, for what must not wait for one that is stuck. Errors: `late`, by default ERR_MIDFLIGHT_WORKER_UNREACHABLE. */
export async function askWithin(
  worker: Worker,
  request: WorkerRequest,
  timeoutMs: number,
  late = new MidflightError('ERR_MIDFLIGHT_WORKER_UNREACHABLE', [request.type]),
): Promise<unknown> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(late), timeoutMs);
  try {
    return await Promise.race([ask(worker, request), promise]);
  } finally {
    clearTimeout(timer);
  }
}
