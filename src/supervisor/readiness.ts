/**
 * When a program counts as ready. Each kind is a `Readiness`: what it needs in the environment is there before the program starts, and
 * then it waits.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { MidflightError } from '../errors.ts';
import type { Ready } from '../protocol/manifest.ts';
import { openNotifySocket, type Notification } from './notify-socket.ts';
import type { HostedProcess } from './process-host.ts';
import { isPolling, listProcessTree, listSockets } from './process-tree.ts';
import { hasPerl } from './program-parent.ts';
import { probeServing } from './serving-probe.ts';
import { LISTEN_FDS_START, type InheritedSocket } from './socket-environment.ts';
import { findListeningPort } from './tcp-table.ts';
import type { ListenTarget } from '../protocol/messages.ts';

const POLL_MS = 25;
/** The news of its end has come by then. */
const CLOSED_MS = 500;
/** A program that lives this long and can't be seen to poll its socket is taken to accept in a blocking way. */
const READY_BLOCKING_MS = 2_000;

export interface ReadinessStart {
  readonly hosted: HostedProcess;
  readonly sockets: readonly InheritedSocket[];
  readonly timeoutMs: number;
  /** Aborted when the program has ended. */
  readonly signal: AbortSignal;
}

export interface ReadinessOutcome {
  readonly isReady: boolean;
  /** What was seen instead. */
  readonly seen: string;
  /** The process that it says is the main one. */
  readonly mainPid: number | null;
}

export interface Readiness {
  readonly environment: Readonly<Record<string, string>>;
  readonly readyFifo: string | null;
  wait(start: ReadinessStart): Promise<ReadinessOutcome>;
  close(): Promise<void>;
}

/** Makes what the kind needs. Close it when the program is ready, or not.
 *  Errors: ERR_MIDFLIGHT_PERL_MISSING. */
export async function openReadiness(ready: Ready): Promise<Readiness> {
  if (ready === 'pipe') return openPipe();
  if (ready === 'notify') return openNotify();
  const simple = { environment: {}, readyFifo: null, async close() {} };
  if (typeof ready === 'string') return { ...simple, wait: waitForPolling };
  if ('http' in ready) return { ...simple, wait: async (start) => waitForAnswer(start, ready.http) };
  return { ...simple, wait: async (start) => waitForLine(start, new RegExp(ready.line, 'm')) };
}

const readyNow: ReadinessOutcome = { isReady: true, seen: '', mainPid: null };

function notReady(seen: string): ReadinessOutcome {
  return { isReady: false, seen, mainPid: null };
}

// --- by looking at it -------------------------------------------------------------------------------------------

async function waitForPolling({ hosted, timeoutMs, signal }: ReadinessStart): Promise<ReadinessOutcome> {
  const startedAt = performance.now();
  while (performance.now() - startedAt < timeoutMs && !signal.aborted) {
    const isOld = performance.now() - startedAt > READY_BLOCKING_MS;
    if (pollsInherited(hosted.pid)) return readyNow;
    await pause(signal);
    if (isOld && !signal.aborted) return readyNow;
  }
  return notReady('it does not poll the socket that it inherited');
}

function pollsInherited(pid: number): boolean {
  const inode = listSockets(pid).get(String(LISTEN_FDS_START));
  if (inode === undefined) return false;
  const inodes = new Set([inode]);
  return listProcessTree(pid).some((member) => isPolling(member, inodes));
}

async function waitForLine(start: ReadinessStart, line: RegExp): Promise<ReadinessOutcome> {
  const { hosted, timeoutMs, signal } = start;
  for (const startedAt = performance.now(); performance.now() - startedAt < timeoutMs;) {
    if (line.test(await hosted.output())) return readyNow;
    if (signal.aborted) break;
    await pause(signal);
  }
  return notReady(`it printed nothing that matches ${line}`);
}

async function pause(signal: AbortSignal): Promise<void> {
  await sleep(POLL_MS, null, { signal }).catch(() => null);
}

// --- by asking it -----------------------------------------------------------------------------------------------

async function waitForAnswer(start: ReadinessStart, at: string): Promise<ReadinessOutcome> {
  const { hosted, sockets, timeoutMs, signal } = start;
  const target = await toProbeTarget(sockets, hosted.pid);
  const { isServing, seen } = await probeServing({
    target,
    path: at,
    pid: hosted.pid,
    timeoutMs,
    until: 'good',
    signal,
  });
  return isServing ? readyNow : notReady(seen);
}

/** The first TCP address, as only of TCP the kernel tells whose a connection is; else the first. */
export async function toProbeTarget(sockets: readonly InheritedSocket[], pid: number): Promise<ListenTarget> {
  const socket = sockets.find(({ target }) => target.kind === 'tcp') ?? sockets[0];
  if (socket === undefined) throw new MidflightError('ERR_MIDFLIGHT_INVALID_STATE', ['Nothing to ask']);
  const { target, fd } = socket;
  if (target.kind === 'unix' || target.port !== 0) return target;
  const port = await findListeningPort(listSockets(pid).get(String(fd)) ?? '');
  return { ...target, port: port ?? 0 };
}

// --- by being told ----------------------------------------------------------------------------------------------

async function openPipe(): Promise<Readiness> {
  const directory = await makeDirectory();
  const readyFifo = path.join(directory, 'ready');
  await once(spawn('mkfifo', [readyFifo], { stdio: 'inherit' }), 'exit');
  // Opening a FIFO waits for the other end; here that is a process that can be ended.
  const reader = spawn('cat', [readyFifo], { stdio: ['ignore', 'pipe', 'inherit'] });
  const written = once(reader.stdout, 'data').then(() => 'written');
  const closed = once(reader.stdout, 'end').then(() => 'closed');
  return {
    environment: {},
    readyFifo,
    async wait({ timeoutMs, signal }) {
      const isOver = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      const over = once(isOver, 'abort').then(() => 'over');
      const how = await Promise.race([written, closed, over]);
      if (how === 'over') return notReady('it wrote nothing to READY_FD, and did not close it');
      // A program that ends closes it too, which is heard of by another way.
      await sleep(how === 'closed' ? CLOSED_MS : POLL_MS, null, { signal }).catch(() => null);
      // Timers come before news in a turn of the event loop, and this process may have stood still.
      await nextTurn();
      return signal.aborted ? notReady('') : readyNow;
    },
    async close() {
      reader.kill('SIGKILL');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function openNotify(): Promise<Readiness> {
  const directory = await makeDirectory();
  // A program that has given up its privileges finds the socket, and nobody else its name.
  await chmod(directory, 0o711);
  const address = path.join(directory, 'notify');
  const arrived: Notification[] = [];
  const waiting = new EventTarget();
  const socket = await openNotifySocket(address, (notification) => {
    arrived.push(notification);
    waiting.dispatchEvent(new Event('arrived'));
  });
  return {
    environment: { NOTIFY_SOCKET: address },
    readyFifo: null,
    async wait({ timeoutMs, signal }) {
      let deadlineMs = performance.now() + timeoutMs;
      let seen = 'it sent no READY=1 to NOTIFY_SOCKET';
      let mainPid: number | null = null;
      while (performance.now() < deadlineMs && !signal.aborted) {
        for (const notification of arrived.splice(0)) {
          const { isReady, isStopping, status, extendMs, errno } = notification;
          mainPid = notification.mainPid ?? mainPid;
          if (status !== null) seen = `its status was "${status}"`;
          if (extendMs !== null) deadlineMs = Math.max(deadlineMs, performance.now() + extendMs);
          if (isReady) return { ...readyNow, mainPid };
          if (isStopping || errno !== null) return notReady(`it said that it stops; ${seen}`);
        }
        const isOver = AbortSignal.any([
          signal,
          AbortSignal.timeout(Math.ceil(Math.max(1, deadlineMs - performance.now()))),
        ]);
        if (arrived.length === 0) await once(waiting, 'arrived', { signal: isOver }).catch(() => null);
      }
      return notReady(seen);
    },
    async close() {
      socket.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** In the system's folder: the app's own may be too deep for the 107 bytes of a socket's path. */
async function makeDirectory(): Promise<string> {
  if (!hasPerl()) throw new MidflightError('ERR_MIDFLIGHT_PERL_MISSING', []);
  return mkdtemp(path.join(tmpdir(), 'midflight-ready-'));
}
