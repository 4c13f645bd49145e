/** Kills parts at bad moments: what is left goes on, and the next start finds a consistent state. */

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { createTestApp, waitForLog, type Files, type TestApp } from '../support/app.ts';

const server = `
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { greeting } from './greeting.ts';
createServer(async (request, response) => {
  const ms = Number(new URL(request.url ?? '/', 'http://localhost').searchParams.get('ms') ?? 0);
  if (ms > 0) console.log('in flight');
  await sleep(ms);
  response.end(greeting);
}).listen(Number(process.env.PORT), '127.0.0.1');
`;
const toGreeting = (greeting: string, before = ''): Files => ({
  'greeting.ts': `${before}export const greeting: string = '${greeting}';\n`,
});
/** Says that it loads, and goes on when it is let: see `letLoad`. */
const slowLoad = `import { existsSync } from 'node:fs';
console.log('loading');
while (!existsSync('loads')) await new Promise((resolve) => setTimeout(resolve, 10));
`;
const letLoad = (app: TestApp): void => app.write({ loads: '' });

async function startApp(
  t: TestContext,
  config: object = {},
): Promise<{ app: TestApp; keeper: ChildProcess }> {
  const app = await createTestApp({
    files: { 'server.ts': server, ...toGreeting('one') },
    config: { entry: 'server.ts', probationMs: 300, ...config },
  });
  t.after(() => app.dispose());
  return { app, keeper: await app.start() };
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

test('a worker killed while a swap is prepared leaves all workers on one release', async (t) => {
  const { app, keeper } = await startApp(t, { workers: 3 });
  const before = await app.status();
  app.commit(toGreeting('two', slowLoad));
  const deploying = app.midflight('deploy', '--json');
  await waitForLog(keeper, () => app.log(), /loading/);
  process.kill(before.workers[0]?.pid ?? 0, 'SIGKILL');
  letLoad(app);
  const { json, exitCode } = await deploying;
  assert.equal(json['result'], 'committed', JSON.stringify(json));
  assert.equal(exitCode, 0);
  const after = await app.status();
  const serving = after.workers.filter(({ state }) => state === 'serving');
  assert.equal(serving.length, 3);
  assert.equal(new Set(serving.map(({ generation }) => generation)).size, 1);
  for (let index = 0; index < 12; index++) assert.equal(await app.get(), 'two');
});

test('a worker killed in probation after a swap of three brings all of them back to the release before', async (t) => {
  const { app, keeper } = await startApp(t, { workers: 3, probationMs: 60_000 });
  const before = await app.status();
  app.commit(toGreeting('two'));
  const deploying = app.midflight('deploy', '--json');
  await waitForLog(keeper, () => app.log(), /generation 2 serves/);
  process.kill(before.workers[1]?.pid ?? 0, 'SIGKILL');
  const { json, exitCode } = await deploying;
  assert.equal(json['result'], 'rolled-back', JSON.stringify(json));
  assert.equal(exitCode, 3);
  for (let index = 0; index < 12; index++) assert.equal(await app.get(), 'one');
});

test('a keeper killed in probation: the next start comes up on the last release that passed', async (t) => {
  const { app, keeper } = await startApp(t, { probationMs: 60_000 });
  const { release } = await app.status();
  app.commit(toGreeting('two'));
  await app.midflight('deploy', '--detach');
  assert.equal(await app.get(), 'two');
  await kill(keeper);
  await app.start();
  assert.equal(await app.get(), 'one');
  assert.equal((await app.status()).release, release);
  const { json } = await app.midflight('history', '--json');
  assert.equal((json as unknown as { result: string }[])[0]?.result, 'interrupted');
});

test('a keeper killed during a build leaves nothing that looks like a release', async (t) => {
  const { app, keeper } = await startApp(t);
  app.commit({
    ...toGreeting('two'),
    'midflight.config.json': JSON.stringify({
      entry: 'server.ts',
      build: 'echo building >&2; echo > built; sleep 20',
    }),
  });
  const deploying = app.midflight('deploy');
  // The start has built, too.
  await waitForLog(keeper, () => app.log(), /midflight build[\s\S]*midflight build/);
  await kill(keeper);
  assert.notEqual((await deploying).exitCode, 0);
  await app.start();
  assert.equal(await app.get(), 'one');
  assert.deepEqual(
    readdirSync(path.join(app.directory, '.midflight/releases')).filter((name) => name.startsWith('.')),
    [],
  );
});

test('deploys in quick succession end on the last one', async (t) => {
  const { app } = await startApp(t, { workers: 2, probationMs: 2_000 });
  for (const version of ['two', 'three', 'four', 'five', 'six']) {
    app.commit(toGreeting(version));
    const { exitCode, stderr } = await app.midflight('deploy', '--detach');
    assert.equal(exitCode, 0, stderr);
    assert.equal(await app.get(), version);
  }
});

test('a deploy while another one works is told so, and the first one goes on', async (t) => {
  const { app, keeper } = await startApp(t);
  app.commit(toGreeting('two', slowLoad));
  const first = app.midflight('deploy', '--json');
  await waitForLog(keeper, () => app.log(), /loading/);
  const second = await app.midflight('deploy');
  assert.equal(second.exitCode, 4);
  assert.match(second.stderr, /ERR_MIDFLIGHT_DEPLOY_LOCKED/);
  letLoad(app);
  assert.equal((await first).exitCode, 0);
  assert.equal(await app.get(), 'two');
});
