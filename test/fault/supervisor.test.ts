/** Kills the supervisor at each kind of moment: what serves does not notice, and the next supervisor settles what was under way. */

import assert from 'node:assert/strict';
import { spawnSync, type ChildProcess } from 'node:child_process';
import { test, type TestContext } from 'node:test';
import { startLoad } from '../../scripts/load/load.ts';
import { createTestApp, waitForLog, type Files, type TestApp } from '../support/app.ts';
import { toFrameworkApp, toVersionFiles } from '../support/frameworks.ts';

const server = `
import { createServer } from 'node:http';
import { greeting } from './greeting.ts';
createServer((request, response) => {
  if (request.url !== '/held') return void response.end(greeting);
  process.once('SIGUSR2', () => response.end(greeting));
  console.log('in flight');
}).listen(Number(process.env.PORT), '127.0.0.1');
`;
const toGreeting = (greeting: string, before = ''): Files => ({
  'greeting.ts': `${before}export const greeting: string = '${greeting}';\n`,
});
/** Says that it loads, and does not go on before there is a file `loads`. */
const slowLoad = `import { existsSync } from 'node:fs';
console.log('loading');
while (!existsSync('loads')) await new Promise((resolve) => setTimeout(resolve, 10));
`;

interface Running {
  readonly app: TestApp;
  readonly keeper: ChildProcess;
  /** Resolves when the next supervisor has settled what it found. `meanwhile` is what it does not see. */
  killSupervisor(meanwhile?: () => void): Promise<void>;
  /** What serves, as pids. */
  serving(): Promise<readonly number[]>;
  lastDeploy(): Promise<Readonly<Record<string, unknown>>>;
}

async function startApp(t: TestContext, config: object = {}, files?: Files): Promise<Running> {
  const app = await createTestApp({
    files: files ?? { 'server.ts': server, ...toGreeting('one') },
    config: { entry: 'server.ts', probationMs: 100, workers: 2, ...config },
  });
  t.after(() => app.dispose());
  const keeper = await app.start();
  return {
    app,
    keeper,
    async killSupervisor(meanwhile) {
      const supervisor = await supervisorOf(app);
      const from = app.log().length;
      process.kill(supervisor, 'SIGSTOP');
      meanwhile?.();
      process.kill(supervisor, 'SIGKILL');
      await waitForLog(keeper, () => app.log().slice(from), /midflight serving /);
    },
    async serving() {
      const { workers } = await app.status();
      return workers
        .filter(({ state }) => state === 'serving')
        .map(({ pid }) => pid)
        .toSorted((one, other) => one - other);
    },
    async lastDeploy() {
      const { json } = await app.midflight('history', '--json');
      return (json as unknown as Readonly<Record<string, unknown>>[])[0] ?? {};
    },
  };
}

async function supervisorOf(app: TestApp): Promise<number> {
  const { supervisor } = await app.status();
  return supervisor.pid;
}

test('a supervisor killed under load is back with the same workers, and no request fails; deploy, rollback and stop work on', async (t) => {
  const { app, keeper, killSupervisor, serving } = await startApp(t, {}, toFrameworkApp('http', 'one'));
  const before = await serving();
  const load = startLoad({
    origin: app.origin,
    clients: { strict: 20, newConnection: 2, slow: 2, upload: 1 },
    thinkMs: 20,
  });
  for (let round = 0; round < 2; round++) await killSupervisor();
  assert.deepEqual(await serving(), before);
  app.commit(toVersionFiles('two'));
  const deploy = await app.midflight('deploy', '--json');
  assert.deepEqual([deploy.json['result'], deploy.json['path']], ['committed', 'swap'], deploy.stderr);
  assert.equal(deploy.json['generation'], 2);
  const rollback = await app.midflight('rollback', '--json');
  assert.equal(rollback.json['result'], 'committed', rollback.stderr);
  await load.waitForRequests(100);
  const report = await load.stop();
  assert.deepEqual(report.failures, []);
  assert.deepEqual(await serving(), before);
  process.kill(await supervisorOf(app), 'SIGKILL');
  const stop = await app.midflight('stop');
  assert.equal(stop.exitCode, 0, stop.stderr);
  assert.notEqual(keeper.exitCode ?? keeper.signalCode, null);
});

test('a supervisor killed while it builds leaves what serves as it is, the deploy interrupted, and the next one works', async (t) => {
  const { app, keeper, killSupervisor, lastDeploy } = await startApp(t);
  const config = { entry: 'server.ts', workers: 2, probationMs: 100 };
  app.commit({
    ...toGreeting('two'),
    'midflight.config.json': JSON.stringify({ ...config, build: 'echo building >&2; sleep 20' }),
  });
  const deploying = app.midflight('deploy');
  await waitForLog(keeper, app.log, /midflight build[\s\S]*midflight build/);
  await killSupervisor();
  assert.notEqual((await deploying).exitCode, 0);
  assert.equal(await app.get(), 'one');
  const { result, evidence } = await lastDeploy();
  assert.equal(result, 'interrupted');
  assert.match(String(evidence), /serves/);
  app.commit({ ...toGreeting('three'), 'midflight.config.json': JSON.stringify(config) });
  assert.equal((await app.midflight('deploy')).exitCode, 0);
  assert.equal(await app.get(), 'three');
});

test('a supervisor killed while a swap is prepared: what was prepared is dropped, and the next deploy swaps', async (t) => {
  const { app, keeper, killSupervisor, serving, lastDeploy } = await startApp(t);
  const before = await serving();
  app.commit(toGreeting('two', slowLoad));
  const deploying = app.midflight('deploy');
  await waitForLog(keeper, app.log, /loading/);
  await killSupervisor();
  await deploying;
  assert.equal(await app.get(), 'one');
  assert.match(String((await lastDeploy())['evidence']), /was being prepared/);
  app.write({ loads: '' });
  app.commit(toGreeting('three'));
  const { json } = await app.midflight('deploy', '--json');
  assert.deepEqual([json['result'], json['path'], json['generation']], ['committed', 'swap', 3]);
  assert.equal(await app.get(), 'three');
  assert.deepEqual(await serving(), before);
});

for (const path of ['swap', 'handoff'] as const) {
  test(`a supervisor killed in probation after a ${path}: the same processes are back at what was proved`, async (t) => {
    const { app, killSupervisor, serving, lastDeploy } = await startApp(t, { probationMs: 60_000 });
    const before = await serving();
    const { release } = await app.status();
    app.commit(toGreeting('two'));
    await app.midflight('deploy', '--detach', '--path', path);
    assert.equal(await app.get(), 'two');
    await killSupervisor();
    for (let index = 0; index < 6; index++) assert.equal(await app.get(), 'one');
    assert.deepEqual(await serving(), before);
    assert.equal((await app.status()).release, release);
    const { result, evidence } = await lastDeploy();
    assert.equal(result, 'interrupted');
    assert.match(String(evidence), /was in probation, as generation 2/);
  });
}

test('a supervisor killed while a new crew loads: the new processes are gone, the old ones serve', async (t) => {
  const { app, keeper, killSupervisor, serving } = await startApp(t);
  const before = await serving();
  app.commit(toGreeting('two', slowLoad));
  const deploying = app.midflight('deploy', '--path', 'handoff');
  await waitForLog(keeper, app.log, /loading/);
  await killSupervisor();
  await deploying;
  assert.deepEqual(
    (await app.status()).workers.map(({ pid }) => pid).toSorted((one, other) => one - other),
    before,
  );
  assert.equal(await app.get(), 'one');
});

test('a supervisor killed while old workers drain: what is in flight is answered, then they end', async (t) => {
  const { app, keeper, killSupervisor } = await startApp(t, { workers: 1 });
  const [old] = (await app.status()).workers;
  const answer = app.get('/held');
  await waitForLog(keeper, app.log, /in flight/);
  app.commit(toGreeting('two'));
  assert.equal((await app.midflight('deploy', '--path', 'handoff')).exitCode, 0);
  await killSupervisor();
  const after = (await app.status()).workers;
  assert.ok(after.some(({ pid, state }) => pid === old?.pid && state === 'draining'));
  process.kill(old?.pid ?? 0, 'SIGUSR2');
  assert.equal(await answer, 'one');
  while (isAlive(old?.pid ?? 0)) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(await app.get(), 'two');
});

test('a worker that crashes while no supervisor is there comes back with the next', async (t) => {
  const { killSupervisor, serving } = await startApp(t);
  const [first = 0, second = 0] = await serving();
  await killSupervisor(() => process.kill(first, 'SIGKILL'));
  const after = await serving();
  assert.equal(after.length, 2);
  assert.ok(after.includes(second) && !after.includes(first));
});

test('Ctrl-C at a terminal is for the keeper: the supervisor and the workers are in other process groups', async (t) => {
  const { app, keeper, serving } = await startApp(t);
  const groupOf = (pid: number): string =>
    spawnSync('ps', ['-o', 'pgid=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim();
  const groups = [keeper.pid ?? 0, await supervisorOf(app), ...(await serving())].map(groupOf);
  assert.equal(new Set(groups).size, groups.length);
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
