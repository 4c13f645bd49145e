/** A deploy that is refused, or that goes back in probation. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { waitForLog, type TestApp } from '../support/app.ts';
import { ask, deploy, shareApp, startApp, toGreeting } from './paths-fixture.ts';

/** Fails when `/now` is asked. */
const crash = `export const greeting: string = 'two';\nprocess.on('now', () => setImmediate(() => { throw new Error('a moment later'); }));\n`;

/** Deploys what has been committed, and asks `/now` of it as soon as it serves: in a handoff the old process may answer once more. */
async function deployAndFail(app: TestApp, ...args: string[]): Promise<Awaited<ReturnType<typeof deploy>>> {
  const before = (await ask(app)).greeting;
  const deploying = deploy(app, ...args);
  while ((await ask(app)).greeting === before) await new Promise((resolve) => setImmediate(resolve));
  // It may be gone before it has answered.
  while ((await ask(app, '/now').catch(() => null))?.greeting === before);
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
    assert.match(report.error?.message ?? '', /Error: a moment later\n +at .*greeting\.ts:\d+/);
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
