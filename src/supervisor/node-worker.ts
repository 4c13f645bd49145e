/** A worker that runs the agent: spawning it, and asking it things. */

import { spawn } from 'node:child_process';
import { existsSync, readFileSync, type WriteStream } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { MidflightError } from '../errors.ts';
import {
  MESSAGE_COMMAND,
  toWorkerError,
  type ErrorReport,
  type ListenTarget,
  type SupervisorMessage,
  type WorkerEvent,
  type WorkerMessage,
  type WorkerRequest,
} from '../protocol/messages.ts';
import { describeExit, toAppProcess, type AppProcess, type RunnableRelease } from './app-process.ts';
import type { Listeners } from './listeners.ts';

export interface NodeWorker<Request = WorkerRequest> extends AppProcess {
  request(request: Request): Promise<unknown>;
}

export interface SpawnOptions<Request = WorkerRequest, Event = WorkerEvent> {
  readonly release: RunnableRelease;
  readonly appDirectory: string;
  readonly listeners: Listeners;
  readonly sinks: readonly (WriteStream | NodeJS.WriteStream)[];
  /** What the process runs; the worker of a release when it is not said. */
  readonly mainFile?: string;
  onEvent(worker: NodeWorker<Request>, event: Event): void;
}

interface PendingRequest {
  readonly type: string;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

const kWorkerFile = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../runtime/worker.ts' : '../runtime/worker.js', import.meta.url),
);

/** Starts a worker; it loads nothing until it is asked to prepare. */
export function spawnNodeWorker<
  Request extends { readonly type: string } = WorkerRequest,
  Event = WorkerEvent,
>(options: SpawnOptions<Request, Event>): NodeWorker<Request> {
  const { release, appDirectory, listeners, mainFile = kWorkerFile } = options;
  const { nodeOptions, args } = release.manifest;
  const entry = path.join(release.location.root, release.manifest.entry ?? '');
  const child = spawn(process.execPath, [...nodeOptions, mainFile, entry, ...args], {
    cwd: appDirectory,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // Out of the terminal's group: Ctrl-C is for the supervisor, which lets its workers end what is in flight.
    detached: true,
    env: toEnvironment(release, appDirectory),
  });
  const pending = new Map<number, PendingRequest>();
  let requestId = 0;
  const post = (message: SupervisorMessage<Request>, handle?: unknown): void => {
    child.send(message, handle as never, () => {
      // A worker that has ended answers nothing; its exit settles what is pending.
    });
  };
  const worker: NodeWorker<Request> = {
    ...toAppProcess(child, options.sinks),
    request(request) {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      if (!child.connected) {
        reject(new MidflightError('ERR_MIDFLIGHT_WORKER_UNREACHABLE', [request.type]));
        return promise;
      }
      const id = ++requestId;
      pending.set(id, { type: request.type, resolve, reject });
      post({ cmd: MESSAGE_COMMAND, id, request });
      return promise;
    },
  };
  child.on('internalMessage', (message: WorkerMessage<Event>) => {
    if (message.cmd !== MESSAGE_COMMAND) return;
    if ('event' in message) options.onEvent(worker, message.event);
    else if ('listen' in message) void answerListen(listeners, message.listenId, message.listen, post);
    else settle(pending, message);
  });
  void worker.exited.then((exit) => {
    for (const { type, reject } of pending.values())
      reject(unreachable(type, describeExit(exit), worker.output()));
    pending.clear();
  });
  return worker;
}

function unreachable(type: string, exit: string, output: string): MidflightError {
  if (type === 'prepare' || type === 'load')
    return new MidflightError('ERR_MIDFLIGHT_WORKER_EXITED', [exit, output]);
  return new MidflightError('ERR_MIDFLIGHT_WORKER_UNREACHABLE', [type]);
}

async function answerListen(
  listeners: Listeners,
  listenId: number,
  target: ListenTarget,
  post: (message: SupervisorMessage<never>, handle?: unknown) => void,
): Promise<void> {
  try {
    const handle = await listeners.acquire(target);
    post({ cmd: MESSAGE_COMMAND, listenId, errno: null }, handle);
  } catch (error) {
    const { code = 'EINVAL', errno = -22, syscall = 'listen' } = error as NodeJS.ErrnoException;
    post({ cmd: MESSAGE_COMMAND, listenId, errno: { code, errno, syscall } });
  }
}

function settle(
  pending: Map<number, PendingRequest>,
  message: { readonly id: number } & ({ readonly done: unknown } | { readonly failed: ErrorReport }),
): void {
  const waiting = pending.get(message.id);
  pending.delete(message.id);
  if ('failed' in message) waiting?.reject(toWorkerError(message.failed));
  else waiting?.resolve(message.done);
}

/** The supervisor's environment, what the start script sets, and then the app's environment file, which has the last word. */
export function toEnvironment({ manifest }: RunnableRelease, appDirectory: string): NodeJS.ProcessEnv {
  const { envFile } = manifest.settings;
  const file = envFile === null ? null : path.resolve(appDirectory, envFile);
  const fromFile = file !== null && existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {};
  return { ...process.env, ...manifest.environment, ...fromFile };
}
