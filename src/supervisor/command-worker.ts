/** A program that is not Node: started with its listening sockets inherited, by the systemd protocol. */

import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, statSync, type WriteStream } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MidflightError } from '../errors.ts';
import { describeExit, toAppProcess, type AppProcess, type RunnableRelease } from './app-process.ts';
import { parseListenTarget, type Listeners } from './listeners.ts';
import { toEnvironment } from './node-worker.ts';

/** First inherited descriptor of the systemd protocol. */
const LISTEN_FDS_START = 3;
const READY_POLL_MS = 20;
/** A program that lives this long and can't be seen to poll its socket is taken to accept in a blocking way. */
const READY_BLOCKING_MS = 2_000;

export interface CommandOptions {
  readonly release: RunnableRelease;
  readonly appDirectory: string;
  readonly listeners: Listeners;
  readonly sinks: readonly (WriteStream | NodeJS.WriteStream)[];
}

/** Starts the program and resolves when it serves.
 *  Errors: ERR_MIDFLIGHT_WORKER_EXITED, ERR_MIDFLIGHT_WORKER_NOT_READY. */
export async function spawnCommandWorker(options: CommandOptions): Promise<AppProcess> {
  const { release, appDirectory, listeners } = options;
  const { manifest, location } = release;
  const targets = manifest.listen.map((text, index) => parseListenTarget(text, index));
  const handles = await Promise.all(targets.map((target) => acquire(listeners, target, manifest.listen)));
  const words = (manifest.command ?? []).map((word) => toWordInRelease(word, location.root));
  // Only the program's own process knows its pid, and exec keeps it.
  const child = spawn('sh', ['-c', 'LISTEN_PID=$$ exec "$@"', 'sh', ...words], {
    cwd: appDirectory,
    stdio: ['ignore', 'pipe', 'pipe', ...handles.map(({ fd }) => fd)],
    detached: true,
    env: {
      ...toEnvironment(release, appDirectory),
      LISTEN_FDS: String(handles.length),
      LISTEN_FDNAMES: manifest.listen.map((text) => text.replaceAll(':', '_')).join(':'),
      MIDFLIGHT_RELEASE_ROOT: location.root,
    },
  });
  const worker = toAppProcess(child, options.sinks);
  endWithSupervisor(worker);
  try {
    await becomeReady(worker, manifest.settings.readyTimeoutMs);
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  return worker;
}

/** The working directory is the app's own, so what names a file of the release must say which release. */
function toWordInRelease(word: string, root: string): string {
  if (path.isAbsolute(word)) return word;
  const file = path.join(root, word);
  const isFile = statSync(file, { throwIfNoEntry: false })?.isFile() === true;
  return isFile || word.startsWith('./') ? file : word;
}

/**
 * A supervisor that is killed can end nobody; a Node worker then ends by itself, and for others a shell that waits for the
 * end of its input does it. Not prctl(PR_SET_PDEATHSIG): that signals once for each thread of the supervisor.
 */
function endWithSupervisor(worker: AppProcess): void {
  if (worker.child.pid === undefined) return;
  const watcher = spawn('sh', ['-c', 'read -r _; kill -TERM "$0"', String(worker.child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  void worker.exited.then(() => watcher.kill('SIGKILL'));
}

async function acquire(
  listeners: Listeners,
  target: ReturnType<typeof parseListenTarget>,
  listen: readonly string[],
): Promise<{ readonly fd: number }> {
  try {
    const { fd } = await listeners.acquireListening(target);
    return { fd: fd ?? -1 };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new MidflightError('ERR_MIDFLIGHT_LISTEN_FAILED', [listen.join(', '), code], { cause: error });
  }
}

async function becomeReady(worker: AppProcess, timeoutMs: number): Promise<void> {
  const startedAt = performance.now();
  while (performance.now() - startedAt < timeoutMs) {
    if (worker.hasExited()) break;
    if (pollsInherited(worker.pid) || performance.now() - startedAt > READY_BLOCKING_MS) return;
    await Promise.race([sleep(READY_POLL_MS), worker.exited]);
  }
  if (worker.hasExited()) {
    throw new MidflightError('ERR_MIDFLIGHT_WORKER_EXITED', [
      describeExit(await worker.exited),
      worker.output(),
    ]);
  }
  throw new MidflightError('ERR_MIDFLIGHT_WORKER_NOT_READY', [
    timeoutMs,
    'it does not poll the socket that it inherited',
  ]);
}

/** True when an epoll instance of the process watches its first inherited socket: proc(5), fdinfo of eventpoll. */
function pollsInherited(pid: number): boolean {
  try {
    const socket = readlinkSync(`/proc/${pid}/fd/${LISTEN_FDS_START}`);
    const descriptors = readdirSync(`/proc/${pid}/fd`);
    const sockets = new Set(descriptors.filter((fd) => linkOf(pid, fd) === socket));
    return descriptors
      .filter((fd) => linkOf(pid, fd) === 'anon_inode:[eventpoll]')
      .some((fd) => watched(pid, fd).some((target) => sockets.has(target)));
  } catch {
    // No /proc here, or the process is gone or not to be looked at: the blocking rule decides.
    return false;
  }
}

function linkOf(pid: number, fd: string): string | null {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    // Closed since it was listed.
    return null;
  }
}

function watched(pid: number, fd: string): string[] {
  const text = readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8');
  return [...text.matchAll(/^tfd:\s*(\d+)/gm)].map((match) => match[1] ?? '');
}
