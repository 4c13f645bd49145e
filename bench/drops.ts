/** Claim: a deploy under load fails no request, and a broken build changes nothing, beside pm2 and node:cluster. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startLoad } from '../scripts/load/load.ts';
import { createTestApp, type TestApp } from '../test/support/app.ts';
import { toFrameworkApp, toVersionFiles } from '../test/support/frameworks.ts';
import { toTable, versionOf, type Claim, type Row } from './report.ts';

const DEPLOYS = 10;
const WORKERS = 2;
/** Longer than any of the systems takes to replace its processes, so that each deploy meets the load as the first did. */
const PAUSE_MS = 1_000;
const clients = { keepAlive: 8, newConnection: 4, slow: 4 };
const broken = { 'second.ts': `throw new Error('broken build');\n` };

/** One way to deploy. */
interface System {
  readonly name: string;
  start(app: TestApp): Promise<void>;
  /** Puts the files that the app's directory has now into service; returns the exit code. */
  deploy(app: TestApp): Promise<number | null>;
  stop(app: TestApp): Promise<void>;
}

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
    for (const system of [toMidflight('swap'), toMidflight('handoff'), createPm2(), createCluster()]) {
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
    await system.start(app);
    return await measureDeploys(system, app);
  } finally {
    await system.stop(app);
    await app.dispose();
  }
}

async function measureDeploys(system: System, app: TestApp): Promise<Row> {
  const load = startLoad({ origin: app.origin, clients });
  await load.waitForVersion('v0');
  const untilNew: number[] = [];
  const exitCodes: (number | null)[] = [];
  for (let index = 1; index <= DEPLOYS; index++) {
    app.commit(toVersionFiles(`v${index}`));
    const startedAt = performance.now();
    const deployed = system.deploy(app);
    await load.waitForVersion(`v${index}`);
    untilNew.push(performance.now() - startedAt);
    exitCodes.push(await deployed);
    await sleep(PAUSE_MS);
  }
  const before = load.counts();
  app.commit(broken);
  const brokenExitCode = await system.deploy(app);
  await sleep(PAUSE_MS);
  const report = await load.stop();
  return {
    '': system.name,
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

function toMidflight(deployPath: 'swap' | 'handoff'): System {
  return {
    name: `Midflight, ${deployPath}`,
    start: async (app) => void (await app.start()),
    deploy: async (app) => (await app.midflight('deploy', '--path', deployPath)).exitCode,
    stop: async () => undefined,
  };
}

function createPm2(): System {
  const home = mkdtempSync(path.join(tmpdir(), 'midflight-pm2-'));
  const command = fileURLToPath(new URL('node_modules/.bin/pm2', import.meta.url));
  const pm2 = async (app: TestApp, ...args: string[]): Promise<number | null> => {
    const env = { ...process.env, PM2_HOME: home, PORT: String(app.port) };
    const child = spawn(command, args, { cwd: app.directory, env, stdio: 'ignore' });
    const [exitCode] = (await once(child, 'exit')) as [number | null];
    return exitCode;
  };
  return {
    name: 'pm2 reload',
    async start(app) {
      await pm2(app, 'start', 'start.mjs', '--name', 'app', '-i', String(WORKERS));
    },
    deploy: async (app) => pm2(app, 'reload', 'app'),
    async stop(app) {
      await pm2(app, 'kill');
      rmSync(home, { recursive: true, force: true });
    },
  };
}

function createCluster(): System {
  let primary: ChildProcess;
  const file = fileURLToPath(new URL('cluster-primary.ts', import.meta.url));
  return {
    name: 'node:cluster, rolling restart',
    async start(app) {
      const env = { ...process.env, PORT: String(app.port), WORKERS: String(WORKERS) };
      primary = spawn(process.execPath, [file, 'start.mjs'], {
        cwd: app.directory,
        env,
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      });
      await once(primary, 'message');
    },
    async deploy() {
      primary.send('restart');
      const [exitCode] = (await once(primary, 'message')) as [number];
      return exitCode;
    },
    async stop() {
      primary.kill();
      await once(primary, 'exit');
    },
  };
}
