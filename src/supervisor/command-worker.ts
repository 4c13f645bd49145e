/** A program that is not Node: started with its listening sockets inherited, and seen to serve before anybody counts on it. */

import { statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MidflightError } from '../errors.ts';
import type { HealthSettings } from '../protocol/manifest.ts';
import type { HealthCheck } from '../protocol/messages.ts';
import { toEnvironment } from './node-worker.ts';
import { describeExit, type HostedProcess, type ProcessHost, type RunnableRelease } from './process-host.ts';
import { parseListenTarget } from './listeners.ts';
import { findChild } from './process-tree.ts';
import { hasPerl, toProgramCommandLine } from './program-parent.ts';
import { openReadiness, toProbeTarget, type Readiness } from './readiness.ts';
import { probeServing } from './serving-probe.ts';
import { parseInheritedSockets, toSocketEnvironment, type InheritedSocket } from './socket-environment.ts';

export interface CommandWorker extends HostedProcess {
  readonly kind: 'command';
  /** Rejects with ERR_MIDFLIGHT_HEALTH_FAILED. */
  checkHealth(check: HealthCheck): Promise<void>;
}

export interface CommandOptions {
  readonly host: ProcessHost;
  readonly release: RunnableRelease;
  readonly appDirectory: string;
  readonly label: unknown;
}

/** Starts the program and resolves when it serves.
 *  Errors: ERR_MIDFLIGHT_WORKER_EXITED, ERR_MIDFLIGHT_PROGRAM_NOT_READY, ERR_MIDFLIGHT_HEALTH_FAILED, ERR_MIDFLIGHT_LISTEN_FAILED,
 *          ERR_MIDFLIGHT_PERL_MISSING. */
export async function spawnCommandWorker(options: CommandOptions): Promise<CommandWorker> {
  const { ready } = options.release.manifest.settings;
  const sockets = parseInheritedSockets(options.release.manifest.listen);
  const readiness = await openReadiness(ready);
  try {
    const hosted = await spawnProgram(options, sockets, readiness);
    try {
      const mainPid = await becomeReady(hosted, options.release, readiness);
      const worker = toCommandWorker(hosted, options.release, mainPid);
      const { health } = options.release.manifest.settings;
      if (health !== null) await becomeHealthy(worker, health);
      return worker;
    } catch (error) {
      hosted.kill('SIGKILL');
      throw error;
    }
  } finally {
    await readiness.close();
  }
}

/** What is known of a program that runs. */
export function toCommandWorker(
  hosted: HostedProcess,
  { manifest }: RunnableRelease,
  mainPid: number | null,
): CommandWorker {
  const sockets = parseInheritedSockets(manifest.listen);
  return {
    ...hosted,
    kind: 'command',
    // That of the program, not of its parent.
    pid: mainPid ?? (hasPerl() ? findChild(hosted.pid) : null) ?? hosted.pid,
    async checkHealth({ path: at, tcp = null, timeoutMs }) {
      const { pid } = hosted;
      if (tcp !== null) {
        const target = parseListenTarget(tcp, 0);
        const { isServing, seen } = await probeServing({
          target,
          path: null,
          pid,
          timeoutMs,
          until: 'answered',
        });
        if (!isServing) throw new MidflightError('ERR_MIDFLIGHT_HEALTH_FAILED', [`of ${tcp}`, seen]);
      }
      if (at === null) return;
      const target = await toProbeTarget(sockets, pid);
      const { isServing, seen } = await probeServing({ target, path: at, pid, timeoutMs, until: 'answered' });
      if (!isServing) throw new MidflightError('ERR_MIDFLIGHT_HEALTH_FAILED', [`GET ${at}`, seen]);
    },
  };
}

async function becomeHealthy(worker: CommandWorker, health: HealthSettings): Promise<void> {
  for (let left = health.failures; ; left--) {
    try {
      return await worker.checkHealth(health);
    } catch (error) {
      if (left <= 1) throw error;
      await sleep(health.intervalMs);
    }
  }
}

async function spawnProgram(
  { host, release, appDirectory, label }: CommandOptions,
  sockets: readonly InheritedSocket[],
  { environment, readyFifo }: Readiness,
): Promise<HostedProcess> {
  const { manifest, location } = release;
  const root = path.join(location.root, manifest.appFolder ?? '');
  const words = (manifest.command ?? []).map((word) => toWordInRelease(word, root));
  const { stopSignal } = manifest.settings;
  const { NOTIFY_SOCKET: _, ...inherited } = toEnvironment(release, appDirectory);
  const commandLine = toProgramCommandLine({ words, inheritedCount: sockets.length, readyFifo, stopSignal });
  return host.spawn(
    {
      ...commandLine,
      label,
      cwd: appDirectory,
      env: {
        ...inherited,
        ...toSocketEnvironment(sockets),
        ...environment,
        MIDFLIGHT_RELEASE_ROOT: root,
      },
      hasChannel: false,
      listen: sockets.map(({ target }) => target),
    },
    { onMessage() {} },
  );
}

/** The working directory is the app's own, so what names a file of the release must say which release. */
function toWordInRelease(word: string, root: string): string {
  if (path.isAbsolute(word)) return word;
  const file = path.join(root, word);
  return word.startsWith('./') || isFile(file) ? file : word;
}

function isFile(file: string): boolean {
  try {
    return statSync(file).isFile();
  } catch {
    // Not there, or a word that is no name of a file at all, such as a script of many lines.
    return false;
  }
}

/** Resolves with the pid that the program says is its own, if it does. */
async function becomeReady(
  hosted: HostedProcess,
  { manifest }: RunnableRelease,
  readiness: Readiness,
): Promise<number | null> {
  const ended = new AbortController();
  void hosted.exited.then(() => ended.abort());
  const { readyTimeoutMs: timeoutMs } = manifest.settings;
  const sockets = parseInheritedSockets(manifest.listen);
  const { isReady, seen, mainPid } = await readiness.wait({
    hosted,
    sockets,
    timeoutMs,
    signal: ended.signal,
  });
  if (hosted.hasExited()) {
    const how = describeExit(await hosted.exited);
    throw new MidflightError('ERR_MIDFLIGHT_WORKER_EXITED', [how, await hosted.output()]);
  }
  if (isReady) return mainPid;
  throw new MidflightError('ERR_MIDFLIGHT_PROGRAM_NOT_READY', [timeoutMs, seen, await hosted.output()]);
}
