/** Handoffs under clients that keep their connections: no request fails, and no connection is ever closed. */

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { createTestApp, waitForLog } from '../support/app.ts';
import { RawClient, type RawAnswer } from '../support/raw-client.ts';

const toApp = (version: string, extra = ''): Record<string, string> => ({
  'app.js': `
    const http = require('node:http');
    ${extra}
    http
      .createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
        response.setHeader('x-pid', process.pid);
        const [path, ms = 0] = request.url.split('?');
        if (path === '/health' && globalThis.isIll) response.statusCode = 500;
        setTimeout(() => response.end('${version}'), Number(ms));
      })
      .listen(process.env.PORT, process.env.HOST);
  `,
});

const config = { entry: 'app.js', probationMs: 300, drainTimeoutMs: 30_000 };

interface Asked {
  readonly versions: Set<string>;
  count: number;
}

/** Think times up to a second, some answers take 100 ms. An answer that closes the connection is a failure. */
async function ask(client: RawClient, { versions, ...asked }: Asked, signal: AbortSignal): Promise<number> {
  while (!signal.aborted) {
    const answer = await client.get(Math.random() < 0.2 ? '/?100' : '/');
    assert.deepEqual([answer.status, answer.isClosing], [200, false]);
    versions.add(answer.body);
    asked.count++;
    await sleep(Math.random() ** 2 * 1_000, null, { signal }).catch(() => null);
  }
  return asked.count;
}

/** None of the answers on the way closes the connection. */
async function untilAnswer(client: RawClient, body: string): Promise<RawAnswer> {
  for (;;) {
    const answer = await client.get('/');
    assert.deepEqual([answer.status, answer.isClosing], [200, false]);
    if (answer.body === body) return answer;
  }
}

test('over four handoffs 50 strict clients keep the connections that they opened, and none of their requests fails', async (t) => {
  const app = await createTestApp({ files: toApp('v0'), config: { ...config, workers: 2 } });
  t.after(() => app.dispose());
  await app.start();
  const clients = await Promise.all(Array.from({ length: 50 }, () => RawClient.connect(app.port)));
  const ports = clients.map(({ socket }) => socket.localPort);
  const versions = new Set<string>();
  const stop = new AbortController();
  const asking = Promise.all(clients.map((client) => ask(client, { versions, count: 0 }, stop.signal)));
  asking.catch(() => stop.abort());
  for (const version of ['v1', 'v2', 'v3', 'v4']) {
    app.commit(toApp(version));
    const { json } = await app.midflight('deploy', '--json', '--path', 'handoff');
    assert.equal(json.result, 'committed');
    while (!versions.has(version) && !stop.signal.aborted) await sleep(1);
  }
  stop.abort();
  const counts = await asking;
  t.diagnostic(`${counts.reduce((sum, count) => sum + count, 0)} requests`);
  assert.deepEqual([...versions].toSorted(), ['v0', 'v1', 'v2', 'v3', 'v4']);
  // What is on its way is asked where it comes from.
  const last = await Promise.all(clients.map(async (client) => untilAnswer(client, 'v4')));
  assert.deepEqual(
    clients.map(({ socket }) => socket.localPort),
    ports,
  );
  const { workers } = await app.status();
  const serving = new Set(last.map(({ pid }) => pid));
  assert.deepEqual([serving.size, workers.filter(({ pid }) => serving.has(pid)).length], [2, 2]);
  for (const { socket } of clients) socket.destroy();
});

test('a release that falls ill in probation gives back the connections that it was given', async (t) => {
  const app = await createTestApp({
    files: toApp('v0'),
    config: {
      ...config,
      probationMs: 60_000,
      health: { path: '/health', intervalMs: 50, timeoutMs: 20_000 },
    },
  });
  t.after(() => app.dispose());
  const supervisor = await app.start();
  const idle = await RawClient.connect(app.port);
  const { pid } = await idle.get('/');
  const busy = await RawClient.connect(app.port);
  await busy.get('/');
  app.commit(toApp('v1', `process.on('SIGUSR2', () => (globalThis.isIll = true));`));
  const deployed = app.midflight('deploy', '--json', '--path', 'handoff');
  let given = await busy.get('/');
  while (given.pid === pid) given = await busy.get('/');
  const slow = busy.get('/?300');
  process.kill(given.pid, 'SIGUSR2');
  const { json } = await deployed;
  assert.equal(json.result, 'rolled-back');
  assert.deepEqual(await slow, { status: 200, pid: given.pid, isClosing: false, body: 'v1' });
  await waitForLog(supervisor, () => app.log(), new RegExp(`worker ${given.pid} gave \\d+ live connections`));
  for (const client of [idle, busy]) {
    assert.deepEqual(await client.get('/'), { status: 200, pid, isClosing: false, body: 'v0' });
    client.socket.destroy();
  }
});

test('a connection that a generation before accepted is carried like any other', async (t) => {
  const app = await createTestApp({ files: toApp('v0'), config: { ...config, probationMs: 0 } });
  t.after(() => app.dispose());
  await app.start();
  const client = await RawClient.connect(app.port);
  const { pid } = await client.get('/');
  app.commit(toApp('v1'));
  assert.equal((await app.midflight('deploy', '--json')).json.path, 'swap');
  assert.deepEqual(await client.get('/'), { status: 200, pid, isClosing: false, body: 'v1' });
  app.commit(toApp('v2'));
  await app.midflight('deploy', '--json', '--path', 'handoff');
  const answer = await client.get('/');
  assert.deepEqual([answer.body, answer.isClosing], ['v2', false]);
  assert.notEqual(answer.pid, pid);
  client.socket.destroy();
});

test('a supervisor that is killed while connections go over takes none of them with it', async (t) => {
  const app = await createTestApp({ files: toApp('v0'), config: { ...config, probationMs: 60_000 } });
  t.after(() => app.dispose());
  await app.start();
  const clients = await Promise.all(Array.from({ length: 50 }, () => RawClient.connect(app.port)));
  const stop = new AbortController();
  const versions = new Set<string>();
  const asking = Promise.all(clients.map((client) => ask(client, { versions, count: 0 }, stop.signal)));
  asking.catch(() => stop.abort());
  const before = await app.status();
  app.commit(toApp('v1'));
  const deployed = app.midflight('deploy', '--json', '--path', 'handoff');
  while (!versions.has('v1') && !stop.signal.aborted) await sleep(1);
  process.kill(before.supervisor.pid, 'SIGKILL');
  await deployed;
  // The next supervisor goes back, as nobody has seen the probation through.
  const fresh = await RawClient.connect(app.port);
  while ((await fresh.get('/')).body !== 'v0') await sleep(10);
  stop.abort();
  await asking;
  for (const client of [fresh, ...clients]) client.socket.destroy();
});
