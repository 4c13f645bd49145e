/** What serves the app, Node or not, as those see it who decide who serves. */

import type { WorkerEvent, WorkerRequest } from '../protocol/messages.ts';
import { spawnCommandWorker, type CommandWorker } from './command-worker.ts';
import { spawnNodeWorker, type NodeWorker } from './node-worker.ts';
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

/** A program that is not Node is asked for its health and nothing else, it knows signals only: null. */
export async function ask(worker: Worker, request: WorkerRequest): Promise<unknown> {
  if (worker.kind === 'node') return worker.request(request);
  if (request.type === 'health') await worker.checkHealth(request.health);
  return null;
}
