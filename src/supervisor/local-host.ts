/**
 * Starts processes as children of this one. Gives them listeners, answers their wishes to listen, and reads what they
 * print.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { MidflightError } from '../errors.ts';
import {
  MESSAGE_COMMAND,
  type ListenTarget,
  type SupervisorMessage,
  type WorkerMessage,
} from '../protocol/messages.ts';
import { createAppLog } from './app-log.ts';
import { createCarryRelay, type CarryRelay, type RelayedHandle } from './carry-relay.ts';
import { toTargetText, type Listeners } from './listeners.ts';
import type { HostedProcess, ProcessEvents, ProcessExit, ProcessHost, ProcessSpec } from './process-host.ts';
import { openProcessOutput, type ProcessOutput, type Sink } from './process-output.ts';

/** What a process has printed has been read by then, unless a child of its own keeps the pipe open. */
const CLOSE_TIMEOUT_MS = 500;
/** How often to look whether the rest of a channel has been read. */
const READ_INTERVAL_MS = 5;

export interface LocalHostOptions {
  readonly listeners: Listeners;
  /** Get all that the processes print. */
  readonly sinks: readonly Sink[];
  /** Gets it too, and goes on so when this process has been killed. Without one, the processes end with this one. */
  readonly logFile?: string;
}

/** Makes the host; nothing is started yet. */
export function createLocalHost({ listeners, sinks, logFile }: LocalHostOptions): ProcessHost {
  let count = 0;
  const log = logFile === undefined ? undefined : createAppLog({ file: logFile });
  const children = new Map<number, ChildProcess>();
  const relay = createCarryRelay((pid, message, handle, onError) => {
    const child = children.get(pid);
    if (child?.connected !== true) return onError(new Error('the process has no channel'));
    child.send(message, handle as never, (error) => {
      if (error !== null) onError(error);
    });
  });
  return {
    async spawn(spec, events) {
      const fds = await Promise.all(spec.listen.map((target) => acquire(listeners, target)));
      const output = openProcessOutput(sinks, log);
      const child = start(spec, fds);
      output.read(child);
      if (spec.hasChannel) {
        serveChannel(child, listeners, events);
        relayCarried(child, children, relay);
      } else if (logFile === undefined) endWithHost(child);
      return toHostedProcess(++count, child, output, spec);
    },
    inherited: () => [],
    adopt: () => null,
    async listeners() {
      return listeners.reports();
    },
    route: relay.route,
  };
}

async function acquire(listeners: Listeners, target: ListenTarget): Promise<number> {
  try {
    return (await listeners.acquireListening(target)).fd ?? -1;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new MidflightError('ERR_MIDFLIGHT_LISTEN_FAILED', [toTargetText(target), code], { cause: error });
  }
}

function start(spec: ProcessSpec, fds: readonly number[]): ChildProcess {
  const { file, args, cwd, env, hasChannel } = spec;
  return spawn(file, args, {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe', ...fds, ...(hasChannel ? (['ipc'] as const) : [])],
    // Out of the terminal's group: Ctrl-C is for the supervisor, which lets its workers end what is in flight.
    detached: true,
  });
}

function serveChannel(child: ChildProcess, listeners: Listeners, events: ProcessEvents): void {
  const { onMessage, onDisconnect } = events;
  if (onDisconnect !== undefined) child.once('disconnect', onDisconnect);
  child.on('internalMessage', (message: WorkerMessage<unknown>) => {
    if (message.cmd !== MESSAGE_COMMAND) return;
    if ('listen' in message) void answerListen(child, listeners, message);
    else if (!('carryId' in message)) onMessage(message);
  });
}

function relayCarried(child: ChildProcess, children: Map<number, ChildProcess>, relay: CarryRelay): void {
  const { pid } = child;
  if (pid === undefined) return;
  children.set(pid, child);
  child.on('internalMessage', (message: WorkerMessage<unknown>, handle: RelayedHandle | undefined) => {
    if (message.cmd === MESSAGE_COMMAND && 'carryId' in message) relay.onMessage(pid, message, handle);
  });
  const onGone = (): void => {
    if (children.delete(pid)) relay.onGone(pid);
  };
  child.once('disconnect', onGone);
  // Node keeps 'disconnect' back for as long as a handle is not acknowledged, which a process that was killed never does.
  child.once('exit', () => void whenRead(child).then(onGone));
}

/** What a process had said before its end has been read, unless a child of its own keeps the channel open. */
async function whenRead(child: ChildProcess): Promise<void> {
  for (let waitedMs = 0; child.connected && waitedMs < CLOSE_TIMEOUT_MS; waitedMs += READ_INTERVAL_MS)
    await sleep(READ_INTERVAL_MS, null, { ref: false });
}

async function answerListen(
  child: ChildProcess,
  listeners: Listeners,
  { listenId, listen }: { readonly listenId: number; readonly listen: ListenTarget },
): Promise<void> {
  try {
    const handle = await listeners.acquire(listen);
    post(child, { cmd: MESSAGE_COMMAND, listenId, errno: null }, handle);
  } catch (error) {
    const { code = 'EINVAL', errno = -22, syscall = 'listen' } = error as NodeJS.ErrnoException;
    post(child, { cmd: MESSAGE_COMMAND, listenId, errno: { code, errno, syscall } });
  }
}

function post(child: ChildProcess, message: SupervisorMessage<never> | object, handle?: unknown): void {
  if (!child.connected) return;
  child.send(message, handle as never, () => {
    // A process that has ended answers nothing; its exit settles what is pending.
  });
}

function toHostedProcess(
  id: number,
  child: ChildProcess,
  output: ProcessOutput,
  { hasChannel }: ProcessSpec,
): HostedProcess {
  const kill = (signal: NodeJS.Signals): void => {
    // The processes of a program end with it when it is not given the time to end them.
    if (signal === 'SIGKILL' && !hasChannel) killGroup(child);
    else child.kill(signal);
  };
  let exit: ProcessExit | null = null;
  const exited = waitForExit(child, output).then((ended) => (exit = ended));
  return {
    id,
    pid: child.pid ?? -1,
    exited,
    hasExited: () => exit !== null,
    isConnected: () => child.connected,
    async output() {
      return output.tail();
    },
    kill,
    async end(timeoutMs) {
      kill('SIGTERM');
      const timer = setTimeout(() => kill('SIGKILL'), timeoutMs);
      try {
        return await exited;
      } finally {
        clearTimeout(timer);
      }
    },
    send: (message) => post(child, message),
  };
}

/** It leads a group of its own, as it was started detached. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}

async function waitForExit(child: ChildProcess, output: ProcessOutput): Promise<ProcessExit> {
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    await Promise.race([output.ended(), sleep(CLOSE_TIMEOUT_MS, null, { ref: false })]);
    return { code, signal };
  } catch {
    // It could not be spawned at all.
    return { code: 127, signal: null };
  }
}

/**
 * A host that is killed can end nobody; a Node worker then ends by itself, and for others a shell that waits for the
 * end of its input does it. Not prctl(PR_SET_PDEATHSIG): that signals once for each thread of the host.
 */
function endWithHost(child: ChildProcess): void {
  if (child.pid === undefined) return;
  const watcher = spawn('sh', ['-c', 'read -r _; kill -TERM "$0"', String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  child.once('exit', () => watcher.kill('SIGKILL'));
}
