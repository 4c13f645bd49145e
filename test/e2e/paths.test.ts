/** Each path of a deploy, with its fallback, its way back and what it says. */

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test, type TestContext } from 'node:test';
import { createTestApp, waitForLog, type Files, type TestApp } from '../support/app.ts';

const server = `
import { createServer } from 'node:http';
import { greeting } from './greeting.ts';
createServer((request, response) => {
  if (request.url === '/now') process.emit('now');
  if (request.url === '/health') response.statusCode = greeting === 'ill' ? 500 : 200;
  response.end(JSON.stringify({ greeting, pid: process.pid }));
}).listen(Number(process.env.PORT), '127.0.0.1');
`;
const config = { entry: 'server.ts', probationMs: 300, readyTimeoutMs: 60_000, drainTimeoutMs: 30_000 };
const nodeOptions = ['--max-old-space-size=200'];
const toGreeting = (greeting: string): Files => ({
  'greeting.ts': `export const greeting: string = '${greeting}';\n`,
});

interface Answer {
  readonly greeting: string;
  readonly pid: number;
}

interface Report {
  readonly path: string;
  readonly result: string;
  readonly release: string;
  readonly previous: string;
  readonly reasons: readonly { readonly code: string; readonly message: string }[];
  readonly error: { readonly code: string; readonly message: string } | null;
}

interface StartedApp extends TestApp {
  readonly supervisor: ChildProcess;
}

async function start(overrides: object): Promise<StartedApp> {
  const app = await createTestApp({
    files: { 'server.ts': server, ...toGreeting('one') },
    config: { ...config, ...overrides },
  });
  return { ...app, supervisor: await app.start() };
}

async function startApp(t: TestContext, overrides: object): Promise<StartedApp> {
  const app = await start(overrides);
  t.after(() => app.dispose());
  return app;
}

/** One app for the tests of a group, each of which goes on from where the one before has left it. */
function shareApp(overrides: object = {}): () => StartedApp {
  let app: StartedApp | null = null;
  before(async () => void (app = await start(overrides)));
  after(async () => app?.dispose());
  return () => {
    assert.ok(app !== null);
    return app;
  };
}

async function ask(app: TestApp): Promise<Answer> {
  return JSON.parse(await app.get()) as Answer;
}

async function deploy(app: TestApp, ...args: string[]): Promise<Report & { exitCode: number | null }> {
  const { json, exitCode, stderr } = await app.midflight('deploy', '--json', ...args);
  assert.ok('result' in json, `${JSON.stringify(json)} ${stderr}`);
  return { ...(json as unknown as Report), exitCode };
}

describe('one deploy after another', () => {
  const shared = shareApp();

  test('a changed module is swapped in the same process', async () => {
    const app = shared();
    const before = await ask(app);
    app.commit(toGreeting('two'));
    const report = await deploy(app);
    assert.deepEqual([report.path, report.result, report.exitCode], ['swap', 'committed', 0]);
    assert.deepEqual(
      report.reasons.map(({ code }) => code),
      ['MF1001'],
    );
    assert.match(report.reasons[0]?.message ?? '', /greeting\.ts/);
    assert.deepEqual(await ask(app), { greeting: 'two', pid: before.pid });
  });

  test('the same commit again is unchanged and succeeds', async () => {
    const app = shared();
    const report = await deploy(app);
    assert.deepEqual([report.path, report.result, report.exitCode], ['none', 'unchanged', 0]);
    assert.deepEqual(
      report.reasons.map(({ code }) => code),
      ['MF0001'],
    );
  });

  test('a working tree is deployed as it stands with --dirty', async () => {
    const app = shared();
    app.write(toGreeting('not committed'));
    assert.equal((await deploy(app)).result, 'unchanged');
    assert.equal((await deploy(app, '--dirty')).path, 'swap');
    assert.equal((await ask(app)).greeting, 'not committed');
  });

  test('a handoff that was asked for serves from a new process', async () => {
    const app = shared();
    const before = await ask(app);
    app.commit(toGreeting('three'));
    const report = await deploy(app, '--path', 'handoff');
    assert.deepEqual([report.path, report.result], ['handoff', 'committed']);
    const after = await ask(app);
    assert.equal(after.greeting, 'three');
    assert.notEqual(after.pid, before.pid);
  });

  test('a restart that was asked for serves from a new process', async () => {
    const app = shared();
    const before = await ask(app);
    app.commit(toGreeting('four'));
    const report = await deploy(app, '--path', 'restart');
    assert.deepEqual([report.path, report.result], ['restart', 'committed']);
    const after = await ask(app);
    assert.equal(after.greeting, 'four');
    assert.notEqual(after.pid, before.pid);
  });

  test('rollback brings the release before back after a swap', async () => {
    const app = shared();
    const before = await ask(app);
    app.commit(toGreeting('five'));
    await deploy(app);
    const { json, exitCode } = await app.midflight('rollback', '--json');
    assert.deepEqual([json['path'], json['result'], exitCode], ['swap', 'committed', 0]);
    assert.deepEqual(await ask(app), before);
  });

  test('rollback goes to the release that is named and refuses one that is not there', async () => {
    const app = shared();
    const { release } = await app.status();
    const { greeting: before } = await ask(app);
    for (const greeting of ['six', 'seven']) {
      app.commit(toGreeting(greeting));
      await deploy(app);
    }
    const refused = await app.midflight('rollback', 'no-such-release', '--json');
    assert.equal((refused.json['error'] as { code: string }).code, 'ERR_MIDFLIGHT_RELEASE_UNKNOWN');
    assert.equal(refused.exitCode, 2);
    await app.midflight('rollback', release);
    assert.equal((await ask(app)).greeting, before);
  });

  test('plan says what a deploy would do and changes nothing', async () => {
    const app = shared();
    const { greeting } = await ask(app);
    app.commit(toGreeting('eight'));
    const { json, exitCode } = await app.midflight('plan', '--json');
    assert.deepEqual([json['path'], exitCode], ['swap', 0]);
    const text = (await app.midflight('plan')).stdout;
    assert.match(text, /changed\s+greeting\.ts\n +└─ reached\s+server\.ts\n/);
    assert.equal((await ask(app)).greeting, greeting);
  });

  test('code that only a fresh process can evaluate is handed off, and the next time at once', async () => {
    const app = shared();
    const guard = `if (globalThis.wasLoaded) throw new Error('loaded twice');\nglobalThis.wasLoaded = true;\n`;
    app.commit({ 'greeting.ts': `${guard}export const greeting: string = 'nine';\n` });
    assert.equal((await deploy(app)).path, 'swap');
    app.commit({ 'greeting.ts': `${guard}export const greeting: string = 'ten';\n` });
    const report = await deploy(app);
    assert.deepEqual([report.path, report.result], ['handoff', 'committed']);
    assert.match(report.reasons.find(({ code }) => code === 'MF2005')?.message ?? '', /Error: loaded twice/);
    assert.equal((await ask(app)).greeting, 'ten');
    app.commit(toGreeting('eleven'));
    assert.equal((await deploy(app)).path, 'swap');
    const { json } = await app.midflight('rollback', '--json');
    assert.equal(json['path'], 'handoff');
    assert.match(
      JSON.stringify(json['reasons']),
      /MF2005.*greeting\.ts could not be evaluated in a running process/,
    );
    assert.equal((await ask(app)).greeting, 'ten');
  });

  test('history names every deploy with its result', async () => {
    const app = shared();
    app.commit(toGreeting('twelve'));
    await deploy(app);
    app.commit({ 'greeting.ts': 'export const = 1;\n' });
    await app.midflight('deploy');
    const { json } = await app.midflight('history', '--json');
    const rows = json as unknown as { result: string; path: string }[];
    assert.deepEqual(
      [...rows.slice(0, 2), ...rows.slice(-1)].map(({ result, path }) => `${result} ${path}`),
      ['rejected rejected', 'committed swap', 'committed handoff'],
    );
    assert.match((await app.midflight('history')).stdout, /ERR_MIDFLIGHT_SYNTAX|greeting\.ts:1/);
  });

  test('SIGHUP deploys from the source', async () => {
    const app = shared();
    const from = app.log().length;
    app.commit(toGreeting('thirteen'));
    app.supervisor.kill('SIGHUP');
    await waitForLog(app.supervisor, () => app.log().slice(from), /midflight passed/);
    assert.equal((await ask(app)).greeting, 'thirteen');
  });

  test('a killed worker comes back with the release that is current', async () => {
    const app = shared();
    app.commit(toGreeting('fourteen'));
    await deploy(app);
    const { pid } = await ask(app);
    process.kill(pid, 'SIGKILL');
    await waitForLog(app.supervisor, app.log, /a new worker serves/);
    const after = await ask(app);
    assert.equal(after.greeting, 'fourteen');
    assert.notEqual(after.pid, pid);
  });

  test('node options that differ are handed off', async () => {
    const app = shared();
    app.commit({
      ...toGreeting('fourteen'),
      'midflight.config.json': JSON.stringify({ ...config, nodeOptions }),
    });
    const report = await deploy(app);
    assert.deepEqual([report.path, report.result], ['handoff', 'committed']);
    assert.deepEqual(
      report.reasons.map(({ code }) => code),
      ['MF2002'],
    );
  });

  test('rollback brings the release before back after a handoff', async () => {
    const app = shared();
    app.commit({
      ...toGreeting('fifteen'),
      'midflight.config.json': JSON.stringify({ ...config, nodeOptions: ['--no-warnings'] }),
    });
    assert.equal((await deploy(app)).path, 'handoff');
    const { json } = await app.midflight('rollback', '--json');
    assert.deepEqual([json['path'], json['result']], ['handoff', 'committed']);
    assert.equal((await ask(app)).greeting, 'fourteen');
  });

  test('more workers are started by a handoff', async () => {
    const app = shared();
    app.commit({
      ...toGreeting('fourteen'),
      'midflight.config.json': JSON.stringify({ ...config, nodeOptions, workers: 3 }),
    });
    assert.equal((await deploy(app)).path, 'handoff');
    const { workers } = await app.status();
    assert.equal(workers.filter(({ state }) => state === 'serving').length, 3);
  });

  test('settings alone are taken over by a swap that evaluates nothing', async () => {
    const app = shared();
    app.commit({
      'midflight.config.json': JSON.stringify({ ...config, nodeOptions, workers: 3, probationMs: 301 }),
    });
    const report = await deploy(app);
    assert.deepEqual([report.path, report.result], ['swap', 'committed']);
    assert.deepEqual(
      report.reasons.map(({ message }) => message),
      ['settings differ: probationMs'],
    );
  });

  test('stop ends what runs, and the next start serves the same release', async () => {
    const app = shared();
    app.commit(toGreeting('sixteen'));
    await deploy(app);
    const { release } = await app.status();
    assert.equal((await app.midflight('stop')).exitCode, 0);
    app.commit(toGreeting('never deployed'));
    await app.start();
    assert.equal((await app.status()).release, release);
    assert.equal((await ask(app)).greeting, 'sixteen');
  });
});

/** Fails when `/now` is asked. */
const crash = `export const greeting: string = 'two';\nprocess.on('now', () => setImmediate(() => { throw new Error('a moment later'); }));\n`;

/** Deploys what has been committed, and asks `/now` of it as soon as it serves. */
async function deployAndFail(app: TestApp, ...args: string[]): Promise<Awaited<ReturnType<typeof deploy>>> {
  const before = (await ask(app)).greeting;
  const deploying = deploy(app, ...args);
  while ((await ask(app)).greeting === before) await new Promise((resolve) => setImmediate(resolve));
  // It may be gone before it has answered.
  await app.get('/now').catch(() => null);
  return deploying;
}

describe('a probation', () => {
  const shared = shareApp({ probationMs: 60_000 });

  test('code that throws during probation is rolled back in the same process', async () => {
    const app = shared();
    const { pid } = await ask(app);
    app.commit({ 'greeting.ts': crash });
    const report = await deployAndFail(app);
    assert.deepEqual([report.path, report.result, report.exitCode], ['swap', 'rolled-back', 3]);
    assert.equal(report.error?.code, 'ERR_MIDFLIGHT_PROBATION_FAILED');
    assert.match(report.error?.message ?? '', /a moment later/);
    assert.deepEqual(await ask(app), { greeting: 'one', pid });
  });

  test('code that exits during probation is rolled back in the same process', async () => {
    const app = shared();
    const { pid } = await ask(app);
    app.commit({ 'greeting.ts': crash.replace(`throw new Error('a moment later')`, 'process.exit(7)') });
    assert.equal((await deployAndFail(app)).result, 'rolled-back');
    assert.deepEqual(await ask(app), { greeting: 'one', pid });
  });

  test('a process that crashes during probation after a handoff gives way to the old one', async () => {
    const app = shared();
    const { pid } = await ask(app);
    app.commit({ 'greeting.ts': crash });
    const report = await deployAndFail(app, '--path', 'handoff');
    assert.deepEqual([report.path, report.result], ['handoff', 'rolled-back']);
    assert.deepEqual(await ask(app), { greeting: 'one', pid });
  });

  test('a process killed during probation after a swap brings the old release back', async () => {
    const app = shared();
    app.commit({
      'greeting.ts': crash.replace(
        `throw new Error('a moment later')`,
        `process.kill(process.pid, 'SIGKILL')`,
      ),
    });
    const report = await deployAndFail(app);
    assert.deepEqual([report.path, report.result], ['swap', 'rolled-back']);
    assert.equal((await ask(app)).greeting, 'one');
  });

  test('the next deploy supersedes a probation, and going back then goes to the release that had passed', async () => {
    const app = shared();
    app.commit(toGreeting('two'));
    const first = deploy(app);
    while ((await ask(app)).greeting !== 'two') await new Promise((resolve) => setImmediate(resolve));
    app.commit({ 'greeting.ts': crash.replace(`'two'`, `'three'`) });
    const second = await deployAndFail(app);
    assert.equal((await first).result, 'committed');
    assert.equal(second.result, 'rolled-back');
    assert.equal((await ask(app)).greeting, 'one');
  });

  test('a detached deploy returns at commit', async () => {
    const app = shared();
    app.commit(toGreeting('detached'));
    assert.equal((await deploy(app, '--detach')).result, 'committed');
    assert.equal((await ask(app)).greeting, 'detached');
  });
});

describe('a health check', () => {
  const shared = shareApp({ health: { path: '/health', intervalMs: 50 }, probationMs: 60_000 });

  test('a release that is ill before commit is refused', async () => {
    const app = shared();
    app.commit(toGreeting('ill'));
    const report = await deploy(app);
    assert.deepEqual([report.result, report.error?.code], ['rejected', 'ERR_MIDFLIGHT_HEALTH_FAILED']);
    assert.equal((await ask(app)).greeting, 'one');
  });

  test('a release that falls ill during probation is rolled back', async () => {
    const app = shared();
    app.commit({
      'greeting.ts': `export let greeting: string = 'two';\nprocess.on('now', () => (greeting = 'ill'));\n`,
    });
    const report = await deployAndFail(app);
    assert.deepEqual([report.result, report.error?.code], ['rolled-back', 'ERR_MIDFLIGHT_PROBATION_FAILED']);
    assert.equal((await ask(app)).greeting, 'one');
  });
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} answers what is in flight, and ends with 0`, async (t) => {
    const slow = server.replace(
      `response.end(JSON.stringify({ greeting, pid: process.pid }));`,
      `console.log('asked');\n  setTimeout(() => response.end(greeting), 500);`,
    );
    const app = await createTestApp({ files: { 'server.ts': slow, ...toGreeting('one') }, config });
    t.after(() => app.dispose());
    const supervisor = await app.start();
    const answer = app.get();
    await waitForLog(supervisor, app.log, /asked/);
    supervisor.kill(signal);
    const [exitCode] = (await once(supervisor, 'close')) as [number];
    assert.equal(await answer, 'one');
    assert.equal(exitCode, 0);
  });
}

test('init writes a configuration that start accepts', async (t) => {
  const app = await createTestApp({
    files: {
      'server.ts': server,
      ...toGreeting('one'),
      'package.json': '{"main":"server.ts","type":"module"}',
    },
  });
  t.after(() => app.dispose());
  assert.equal((await app.midflight('init')).exitCode, 0);
  assert.equal((await app.midflight('init')).exitCode, 2);
  app.commit({});
  await app.start();
  assert.equal((await ask(app)).greeting, 'one');
});

test('run serves an entry in one process and ends with its exit code', async (t) => {
  const app = await createTestApp({
    files: { 'main.ts': `console.log(process.argv.slice(2).join('+'));\nprocess.exitCode = 5;\n` },
  });
  t.after(() => app.dispose());
  const { exitCode, stdout } = await app.midflight('run', 'main.ts', 'a', '--b');
  assert.deepEqual([exitCode, stdout], [5, 'a+--b\n']);
});

test('a deploy that changes nothing or is rejected lets a probation go on', async (t) => {
  const app = await startApp(t, { probationMs: 1_500 });
  app.commit(toGreeting('two'));
  const first = app.midflight('deploy', '--json');
  await waitForLog(app.supervisor, app.log, /generation 2 serves/);
  assert.equal((await deploy(app)).result, 'unchanged');
  app.commit({ 'greeting.ts': 'export const = 1;\n' });
  assert.equal((await deploy(app)).result, 'rejected');
  assert.deepEqual([(await first).json['result'], (await first).exitCode], ['committed', 0]);
  assert.match(app.log(), /passed: release/);
  await app.midflight('stop');
  await app.start();
  assert.equal((await ask(app)).greeting, 'two');
});

test('Ctrl-C in a terminal answers what is in flight', async (t) => {
  const slow = server.replace(
    `response.end(JSON.stringify({ greeting, pid: process.pid }));`,
    `console.log('asked');\n  setTimeout(() => response.end(greeting), 500);`,
  );
  const files = { 'server.ts': slow, ...toGreeting('one') };
  const app = await createTestApp({ files, config, ownGroup: true });
  t.after(() => app.dispose());
  const supervisor = await app.start();
  const answer = app.get();
  await waitForLog(supervisor, app.log, /asked/);
  // The terminal signals the whole foreground group.
  process.kill(-(supervisor.pid ?? 0), 'SIGINT');
  const [exitCode] = (await once(supervisor, 'close')) as [number];
  assert.equal(await answer, 'one');
  assert.equal(exitCode, 0);
});

test('start --json says everything in JSON, on standard error', async (t) => {
  const app = await createTestApp({ files: { 'server.ts': server, ...toGreeting('one') }, config });
  t.after(() => app.dispose());
  const supervisor = app.spawnStart('--json');
  await waitForLog(supervisor, app.log, /"message":"serving /);
  for (const line of app.log().trim().split('\n')) {
    const { at, message } = JSON.parse(line) as { at: string; message: string };
    assert.ok(!Number.isNaN(Date.parse(at)));
    assert.equal(typeof message, 'string');
  }
});
