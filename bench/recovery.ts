/** Claim: a supervisor that is killed under load fails no request, and is back by itself. */

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { startLoadProcess, type LoadOutcome } from './generators/load.ts';
import { measureEach, median, type Claim, type Result, type Row } from './report.ts';
import { peerVersions } from './systems/peer-versions.ts';
import { startServiceApp, type ServiceApp } from './systems/service-app.ts';
import { cluster, haproxy, midflight, nginxReload, pm2 } from './systems/service-systems.ts';
import type { System } from './systems/system.ts';
import { fetchVersion } from './systems/upstream.ts';

const sizes = {
  strict: 200,
  newConnection: 10,
  webSocket: 200,
  kills: 10,
  workers: 2,
  warmUpMs: 3_000,
  pauseMs: 11_000,
  giveUpMs: 10_000,
  drainMs: 3_000,
};
const smokeSizes = {
  strict: 20,
  newConnection: 2,
  webSocket: 10,
  kills: 1,
  warmUpMs: 500,
  pauseMs: 500,
  giveUpMs: 3_000,
};

const POLL_MS = 10;
const systems: readonly System[] = [midflight, pm2, cluster, nginxReload, haproxy];

export const claim: Claim = {
  title: 'Recovery: the supervisor is killed under load',
  method: (size) =>
    `${size['strict']} strict keep-alive clients with think time up to 1 s, ${size['newConnection']} that open a connection for each request and ${size['webSocket']} WebSockets; ` +
    `the supervising process (pm2’s daemon, the primary of node:cluster, the master of nginx and HAProxy) gets SIGKILL ${size['kills']} times, ${(size['pauseMs'] ?? 0) / 1_000} s after it was back from the time before, or until the system does not come back ` +
    `within ${(size['giveUpMs'] ?? 0) / 1_000} s. Back is a supervisor of another process that answers what is its status and has the app, with workers that serve. The time is from the kill on. Nothing ` +
    `starts the peers again: under systemd or the like that would be done for them, with what was lost lost.`,
  versions: peerVersions,
  sizes,
  smokeSizes,
  systems: systems.map(({ name }) => name),
  async measure(log, run) {
    const size = { ...sizes, ...run.sizes };
    return measureEach(systems, { run, log }, async (system) => measureSystem(system, size));
  },
};

async function measureSystem(system: System, size: typeof sizes): Promise<Omit<Result, 'system'>> {
  const service = await startServiceApp(system, size);
  const started = new Set<number>();
  try {
    const load = await startLoadProcess({
      origin: service.app.origin,
      clients: {
        strict: { count: size.strict, think: [0, 1_000] },
        newConnection: { count: size.newConnection, think: [0, 100] },
        webSocket: { count: size.webSocket, think: [0, size.warmUpMs] },
      },
    });
    await sleep(size.warmUpMs);
    const backMs = await killRepeatedly(service, size, started);
    const isServing = (await fetchVersion(service.app)) !== undefined;
    const outcome = await load.stop({});
    const deploys = await canDeploy(service);
    return { row: toRow({ outcome, backMs, isServing, deploys }), detail: { backMs } };
  } finally {
    await service.stop().catch(() => undefined);
    for (const pid of started) killIfThere(pid);
  }
}

/** Gives the time until the supervisor was back, for each kill; null for the last one where it was not. */
async function killRepeatedly(
  service: ServiceApp,
  size: typeof sizes,
  started: Set<number>,
): Promise<readonly (number | null)[]> {
  const backMs: (number | null)[] = [];
  while (backMs.length < size.kills && backMs.at(-1) !== null) {
    const pid = await service.supervisorPid();
    // They may outlive it, and nobody else would end them.
    for (const child of readChildren(pid)) started.add(child);
    const killedAt = performance.now();
    process.kill(pid, 'SIGKILL');
    backMs.push(await waitUntilBack(service, { pid, killedAt, giveUpMs: size.giveUpMs }));
    await sleep(size.pauseMs);
  }
  return backMs;
}

async function waitUntilBack(
  service: ServiceApp,
  { pid, killedAt, giveUpMs }: { pid: number; killedAt: number; giveUpMs: number },
): Promise<number | null> {
  while (performance.now() - killedAt < giveUpMs) {
    const supervisor = await service.findSupervisor().catch(() => null);
    if (supervisor !== null && supervisor !== pid) return performance.now() - killedAt;
    await sleep(POLL_MS);
  }
  return null;
}

async function canDeploy(service: ServiceApp): Promise<boolean> {
  try {
    await service.deployAndWait('v1');
    return true;
  } catch {
    return false;
  }
}

interface Recovered {
  readonly outcome: LoadOutcome;
  readonly backMs: readonly (number | null)[];
  readonly isServing: boolean;
  readonly deploys: boolean;
}

function toRow({ outcome, backMs, isServing, deploys }: Recovered): Row {
  const back = backMs.filter((ms) => ms !== null);
  const unopened = outcome.failures.filter(({ kind }) => kind === 'webSocket').length;
  return {
    kills: backMs.length,
    'came back': back.length,
    'until back, median (worst), ms':
      back.length === 0 ? '' : `${median(back).toFixed(0)} (${Math.max(...back).toFixed(0)})`,
    requests: outcome.requests - unopened,
    failed: outcome.failed - unopened,
    'WebSockets closed': outcome.webSockets.lost,
    'serves in the end': isServing ? 'yes' : 'no',
    'the next deploy works': deploys ? 'yes' : 'no',
  };
}

function readChildren(pid: number): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return children === '' ? [] : children.split(' ').map(Number);
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
