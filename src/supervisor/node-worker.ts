/** A worker that runs the agent: spawning it, and asking it things. */

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { MidflightError } from '../errors.ts';
import {
  MESSAGE_COMMAND,
  toWorkerError,
  type ErrorReport,
  type SupervisorMessage,
  type WorkerEvent,
  type WorkerMessage,
  type WorkerRequest,
} from '../protocol/messages.ts';
import { negotiate, protocols, type ProtocolRange } from '../protocol/versions.ts';
import {
  describeExit,
  type HostedProcess,
  type ProcessEvents,
  type ProcessHost,
  type RunnableRelease,
} from './process-host.ts';

export interface NodeWorker<Request = WorkerRequest> extends HostedProcess {
  readonly kind: 'node';
  /** What its agent speaks, by its own word. */
  protocol(): ProtocolRange;
  request(request: Request): Promise<unknown>;
}

export interface SpawnOptions<Request = WorkerRequest, Event = WorkerEvent> {
  readonly host: ProcessHost;
  readonly release: RunnableRelease;
  readonly appDirectory: string;
  readonly label: unknown;
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
export async function spawnNodeWorker<
  Request extends { readonly type: string } = WorkerRequest,
  Event = WorkerEvent,
>(options: SpawnOptions<Request, Event>): Promise<NodeWorker<Request>> {
  const { host, release, appDirectory, label, mainFile = kWorkerFile } = options;
  const { nodeOptions, args, entry } = release.manifest;
  const spec = {
    label,
    file: process.execPath,
    args: [...nodeOptions, mainFile, path.join(release.location.root, entry ?? ''), ...args],
    cwd: appDirectory,
    env: toEnvironment(release, appDirectory),
    hasChannel: true,
    listen: [],
  };
  const conversation = createConversation<Request, Event>(options.onEvent);
  return conversation.begin(await host.spawn(spec, conversation));
}

export interface AdoptOptions {
  /** What it has said at its start. */
  readonly protocol: ProtocolRange;
  onEvent(worker: NodeWorker, event: WorkerEvent): void;
}

/** One that was started before this process; null when it has ended. */
export function adoptNodeWorker(
  host: ProcessHost,
  process_: number,
  { protocol, onEvent }: AdoptOptions,
): NodeWorker | null {
  const conversation = createConversation<WorkerRequest, WorkerEvent>(onEvent, protocol);
  const hosted = host.adopt(process_, conversation);
  return hosted && conversation.begin(hosted);
}

interface Conversation<Request> extends ProcessEvents {
  begin(hosted: HostedProcess): NodeWorker<Request>;
}

/** Listens before the process is known, since it may speak at once. */
// Both are said by who starts the worker.
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
function createConversation<Request extends { readonly type: string }, Event>(
  onEvent: (worker: NodeWorker<Request>, event: Event) => void,
  known: ProtocolRange = protocols.worker,
): Conversation<Request> {
  let protocol = known;
  const pending = new Map<number, PendingRequest>();
  const begun = Promise.withResolvers<NodeWorker<Request>>();
  return {
    onMessage(raw) {
      const message = raw as WorkerMessage<Event>;
      if ('id' in message) settle(pending, message);
      else if ('event' in message) {
        const { event } = message;
        if (isHello(event)) protocol = event.protocol;
        void begun.promise.then((worker) => onEvent(worker, event));
      }
    },
    begin(hosted) {
      const worker = toNodeWorker<Request>(hosted, pending, () => protocol);
      begun.resolve(worker);
      return worker;
    },
  };
}

function toNodeWorker<Request extends { readonly type: string }>(
  hosted: HostedProcess,
  pending: Map<number, PendingRequest>,
  protocol: () => ProtocolRange,
): NodeWorker<Request> {
  // Answers to a supervisor that was killed may still come: their numbers are lower than these.
  let requestId = Date.now() * 1_000;
  void hosted.exited.then(async (exit) => {
    const output = await hosted.output();
    for (const { type, reject } of pending.values()) reject(unreachable(type, describeExit(exit), output));
    pending.clear();
  });
  return {
    ...hosted,
    kind: 'node',
    protocol,
    async request(request) {
      negotiate('worker', `The agent of worker ${hosted.pid}`, protocol());
      if (!hosted.isConnected()) throw new MidflightError('ERR_MIDFLIGHT_WORKER_UNREACHABLE', [request.type]);
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      const id = ++requestId;
      pending.set(id, { type: request.type, resolve, reject });
      hosted.send({ cmd: MESSAGE_COMMAND, id, request } satisfies SupervisorMessage<Request>);
      return promise;
    },
  };
}

/** The first that an agent says. */
function isHello(event: unknown): event is WorkerEvent & { readonly type: 'hello' } {
  return (event as { readonly type?: unknown }).type === 'hello';
}

function unreachable(type: string, exit: string, output: string): MidflightError {
  if (type === 'prepare' || type === 'load')
    return new MidflightError('ERR_MIDFLIGHT_WORKER_EXITED', [exit, output]);
  return new MidflightError('ERR_MIDFLIGHT_WORKER_UNREACHABLE', [type]);
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
