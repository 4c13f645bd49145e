/** Each path of a deploy and the way back, on one app. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitForLog } from '../support/app.ts';
import { ask, config, deploy, shareApp, toGreeting } from './paths-fixture.ts';

const nodeOptions = ['--max-old-space-size=200'];
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
