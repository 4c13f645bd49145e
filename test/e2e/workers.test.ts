/** How many workers serve, and what becomes of those that grow, or end unasked. */

import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test, type TestContext } from 'node:test';
import { createTestApp, waitForLog, type TestApp } from '../support/app.ts';

const server = `
import { createServer } from 'node:http';
const held: Buffer[] = [];
createServer((request, response) => {
  if (request.url === '/grow') held.push(Buffer.alloc(200 * 1024 * 1024, 1));
  if (request.url === '/crash') setImmediate(() => { throw new Error('out of paper'); });
  response.end(String(process.pid));
}).listen(Number(process.env.PORT), '127.0.0.1');
`;

interface Status {
  readonly workers: readonly { readonly pid: number; readonly state: string }[];
  readonly lastCrash: { readonly inARow: number; readonly error: string; readonly generation: number } | null;
}

async function startApp(t: TestContext, config: object = {}): Promise<TestApp> {
  const app = await createTestApp({
    files: { 'server.ts': server },
    config: { entry: 'server.ts', probationMs: 100, drainTimeoutMs: 1_000, ...config },
  });
  t.after(() => app.dispose());
  return app;
}

async function status(app: TestApp): Promise<Status> {
  return (await app.status()) as unknown as Status;
}

async function servingCount(app: TestApp): Promise<number> {
  return (await status(app)).workers.filter(({ state }) => state === 'serving').length;
}

test('workers: "auto" is one worker a processor', async (t) => {
  const app = await startApp(t, { workers: 'auto' });
  await app.start();
  assert.equal(await servingCount(app), availableParallelism());
});

test('scale starts and ends workers; the count outlives deploys and starts until it is taken back', async (t) => {
  const app = await startApp(t);
  const supervisor = await app.start();
  const [first] = (await status(app)).workers;
  assert.deepEqual((await app.midflight('scale', '3', '--json')).json, { workers: 3 });
  assert.equal(await servingCount(app), 3);
  assert.equal((await status(app)).workers[0]?.pid, first?.pid, 'the worker that was there stays');
  app.commit({ 'other.txt': '2' });
  assert.equal((await app.midflight('deploy', '--path', 'handoff', '--json')).json['workers'], 3);
  await app.end();
  assert.notEqual(supervisor.exitCode, null);
  await app.start();
  assert.equal(await servingCount(app), 3);
  assert.deepEqual((await app.midflight('scale', 'default', '--json')).json, { workers: 1 });
  assert.equal(await servingCount(app), 1);
  await app.get();
});

test('a count that is none is refused with what it may be', async (t) => {
  const app = await startApp(t);
  await app.start();
  const { exitCode, stderr } = await app.midflight('scale', '0');
  assert.equal(exitCode, 2);
  assert.match(stderr, /whole number from 1 to 256, "auto" or "default"/);
  assert.match((await app.midflight('scale', '999', '--json')).stdout, /ERR_MIDFLIGHT_USAGE/);
  assert.equal(await servingCount(app), 1);
});

test('a worker that outgrows policy.maxRssMib gives way to a fresh one before the system ends it', async (t) => {
  const app = await startApp(t, { policy: { maxRssMib: 250 } });
  const supervisor = await app.start();
  const before = await app.get();
  await app.get('/grow');
  await waitForLog(supervisor, () => app.log(), /MF2012[\s\S]*passed: release/);
  assert.notEqual(await app.get(), before);
  const { json } = await app.midflight('history', '--json');
  const [relief] = json as unknown as { path: string; result: string; reasons: { message: string }[] }[];
  assert.equal(relief?.path, 'handoff');
  assert.equal(relief.result, 'committed');
  assert.match(
    relief.reasons[0]?.message ?? '',
    new RegExp(`worker ${before} has \\d+ MiB in memory, more than policy.maxRssMib \\(250\\) allows`),
  );
});

test('crashes are counted, and attributed to the error, the generation and the release', async (t) => {
  const app = await startApp(t);
  const supervisor = await app.start();
  assert.equal((await status(app)).lastCrash, null);
  const { release } = await app.status();
  for (const count of [1, 2]) {
    const served = app.log().length;
    await app.get('/crash');
    await waitForLog(supervisor, () => app.log().slice(served), /a new worker serves/);
    const { lastCrash } = await status(app);
    assert.equal(lastCrash?.inARow, count);
    assert.match(lastCrash.error, /out of paper/);
    assert.equal(lastCrash.generation, 1);
  }
  const { stdout } = await app.midflight('status');
  assert.match(
    stdout,
    new RegExp(`ended unasked in generation 1 of release ${release} .*out of paper.*; 2 crashes in a row`),
  );
});
