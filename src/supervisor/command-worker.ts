/** A program that is not Node: started with its listening sockets inherited, by the systemd protocol. */

import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MidflightError } from '../errors.ts';
import { parseListenTarget } from './listeners.ts';
import { toEnvironment } from './node-worker.ts';
import { describeExit, type HostedProcess, type ProcessHost, type RunnableRelease } from './process-host.ts';

/** First inherited descriptor of the systemd protocol. */
const LISTEN_FDS_START = 3;
const READY_POLL_MS = 20;
/** A program that lives this long and can't be seen to poll its socket is taken to accept in a blocking way. */
const READY_BLOCKING_MS = 2_000;

export interface CommandWorker extends HostedProcess {
  readonly kind: 'command';
}

export interface CommandOptions {
  readonly host: ProcessHost;
  readonly release: RunnableRelease;
  readonly appDirectory: string;
  readonly label: unknown;
}

/** Starts the program and resolves when it serves.
 *  Errors: ERR_MIDFLIGHT_WORKER_EXITED, ERR_MIDFLIGHT_WORKER_NOT_READY, ERR_MIDFLIGHT_LISTEN_FAILED. */
export async function spawnCommandWorker(options: CommandOptions): Promise<CommandWorker> {
  const { host, release, appDirectory, label } = options;
  const { manifest, location } = release;
  const words = (manifest.command ?? []).map((word) => toWordInRelease(word, location.root));
  const worker = await host.spawn(
    {
      label,
      // Only the program's own process knows its pid, and exec keeps it.
      file: 'sh',
      args: ['-c', 'LISTEN_PID=$$ exec "$@"', 'sh', ...words],
      cwd: appDirectory,
      env: {
        ...toEnvironment(release, appDirectory),
        LISTEN_FDS: String(manifest.listen.length),
        LISTEN_FDNAMES: manifest.listen.map((text) => text.replaceAll(':', '_')).join(':'),
        MIDFLIGHT_RELEASE_ROOT: location.root,
      },
      hasChannel: false,
      listen: manifest.listen.map((text, index) => parseListenTarget(text, index)),
    },
    { onMessage() {} },
  );
  try {
    await becomeReady(worker, manifest.settings.readyTimeoutMs);
  } catch (error) {
    worker.kill('SIGKILL');
    throw error;
  }
  return { ...worker, kind: 'command' };
}

/** The working directory is the app's own, so what names a file of the release must say which release. */
function toWordInRelease(word: string, root: string): string {
  if (path.isAbsolute(word)) return word;
  const file = path.join(root, word);
  const isFile = statSync(file, { throwIfNoEntry: false })?.isFile() === true;
  return isFile || word.startsWith('./') ? file : word;
}

async function becomeReady(worker: HostedProcess, timeoutMs: number): Promise<void> {
  const startedAt = performance.now();
  while (performance.now() - startedAt < timeoutMs) {
    if (worker.hasExited()) break;
    if (pollsInherited(worker.pid) || performance.now() - startedAt > READY_BLOCKING_MS) return;
    await Promise.race([sleep(READY_POLL_MS), worker.exited]);
  }
  if (worker.hasExited()) {
    throw new MidflightError('ERR_MIDFLIGHT_WORKER_EXITED', [
      describeExit(await worker.exited),
      await worker.output(),
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
