/** Claim: a deploy under load fails no request, and a broken build changes nothing, beside pm2 and node:cluster. */

import { setTimeout as sleep } from 'node:timers/promises';
import { startLoad } from '../scripts/load/load.ts';
import { createTestApp, type TestApp } from '../test/support/app.ts';
import { toFrameworkApp, toVersionFiles } from '../test/support/frameworks.ts';
import { toTable, versionOf, type Claim, type Row } from './report.ts';
import { toCluster } from './systems/cluster.ts';
import { toMidflight } from './systems/midflight.ts';
import { toPm2 } from './systems/pm2.ts';
import type { RunningSystem, System } from './systems/system.ts';

const DEPLOYS = 10;
const WORKERS = 2;
/** Longer than any of the systems takes to replace its processes, so that each deploy meets the load as the first did. */
const PAUSE_MS = 1_000;
/** More than any answer takes. */
const DRAIN_MS = 5_000;
const clients = { keepAlive: 8, newConnection: 4, slow: 4 };
const broken = { 'second.ts': `throw new Error('broken build');\n` };

export const claim: Claim = {
  title: 'Drops: deploys under load',
  method:
    `A node:http app with ${WORKERS} workers, ${clients.keepAlive} keep-alive clients with think time, ${clients.newConnection} that ` +
    `open a connection for each request and ${clients.slow} with slow responses, none of which tries again; ${DEPLOYS} deploys of ` +
    `changed code, then one of code that throws while it loads. Time until the new code answers is measured from the start of ` +
    `the deploy command, the median of the deploys; for Midflight it includes making the release.`,
  versions: { pm2: versionOf('pm2') },
  async measure(log) {
    const rows: Row[] = [];
    for (const system of [
      toMidflight('swap'),
      toMidflight('handoff'),
      toPm2('start.mjs'),
      toCluster('start.mjs'),
    ]) {
      log(system.name);
      rows.push(await measureSystem(system));
    }
    return toTable(rows);
  },
};

async function measureSystem(system: System): Promise<Row> {
  const app = await createTestApp({
    files: { ...toFrameworkApp('http', 'v0'), 'start.mjs': `import './server.ts';\n` },
    config: { entry: 'server.ts', workers: WORKERS, probationMs: 500 },
    linkPackages: true,
  });
  try {
    const running = await system.start(app, { workers: WORKERS, drainMs: DRAIN_MS });
    try {
      return { '': system.name, ...(await measureDeploys(running, app)) };
    } finally {
      await running.stop();
    }
  } finally {
    await app.dispose();
  }
}

async function measureDeploys(system: RunningSystem, app: TestApp): Promise<Row> {
  const load = startLoad({ origin: app.origin, clients });
  await load.waitForVersion('v0');
  const untilNew: number[] = [];
  const exitCodes: (number | null)[] = [];
  for (let index = 1; index <= DEPLOYS; index++) {
    app.commit(toVersionFiles(`v${index}`));
    const startedAt = performance.now();
    const deployed = system.deploy(`v${index}`);
    await load.waitForVersion(`v${index}`);
    untilNew.push(performance.now() - startedAt);
    exitCodes.push(await deployed);
    await sleep(PAUSE_MS);
  }
  const before = load.counts();
  app.commit(broken);
  const brokenExitCode = await system.deploy('broken');
  await sleep(PAUSE_MS);
  const report = await load.stop();
  return {
    requests: before.requests,
    failed: before.failed,
    'worst latency, ms': Math.round(before.latencyMs.max),
    'until new code answers, ms': Math.round(
      untilNew.toSorted((a, b) => a - b)[Math.floor(DEPLOYS / 2)] ?? Number.NaN,
    ),
    'exit codes': [...new Set(exitCodes)].join(', '),
    'broken build: failed': report.failed - before.failed,
    'broken build: exit code': String(brokenExitCode),
  };
}
