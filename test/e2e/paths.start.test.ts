/** The first start, and the end that a signal makes. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { answerWhenTold, createTestApp, waitForLog } from '../support/app.ts';
import { ask, config, server, toGreeting } from './paths-fixture.ts';

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} answers what is in flight, and ends with 0`, async (t) => {
    const slow = server.replace(
      `response.end(JSON.stringify({ greeting, pid: process.pid }));`,
      `console.log('asked');\n  ${answerWhenTold('greeting')}`,
    );
    const app = await createTestApp({ files: { 'server.ts': slow, ...toGreeting('one') }, config });
    t.after(() => app.dispose());
    const supervisor = await app.start();
    const answer = app.get();
    await waitForLog(supervisor, app.log, /asked/);
    supervisor.kill(signal);
    await app.printed(new RegExp(`stopping: ${signal}`));
    app.write({ answer: '' });
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

test('Ctrl-C in a terminal answers what is in flight', async (t) => {
  const slow = server.replace(
    `response.end(JSON.stringify({ greeting, pid: process.pid }));`,
    `console.log('asked');\n  ${answerWhenTold('greeting')}`,
  );
  const files = { 'server.ts': slow, ...toGreeting('one') };
  const app = await createTestApp({ files, config, ownGroup: true });
  t.after(() => app.dispose());
  const supervisor = await app.start();
  const answer = app.get();
  await waitForLog(supervisor, app.log, /asked/);
  // The terminal signals the whole foreground group.
  process.kill(-(supervisor.pid ?? 0), 'SIGINT');
  await app.printed(/stopping: SIGINT/);
  app.write({ answer: '' });
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
