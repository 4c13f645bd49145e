/** Apps found anywhere, changed in no line: started, and given a commit under load. */

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { io, type Socket } from 'socket.io-client';
import { startLoad } from '../../scripts/load/load.ts';
import { createTestApp, type TestApp } from '../support/app.ts';
import { unmodifiedApps, type UnmodifiedApp } from '../support/unmodified-apps.ts';

const clients = { keepAlive: 4, newConnection: 2, slow: 2 };

async function startApp(t: TestContext, { files, toVersion }: UnmodifiedApp): Promise<TestApp> {
  const app = await createTestApp({ files: { ...files, ...toVersion('one') }, linkPackages: true });
  t.after(() => app.dispose());
  await app.start();
  return app;
}

async function deploy(app: TestApp): Promise<Record<string, unknown>> {
  const { json } = await app.midflight('deploy', '--detach', '--json');
  return json;
}

for (const unmodified of unmodifiedApps) {
  test(`${unmodified.name}: a commit is swapped in under load, in the same process`, async (t) => {
    const app = await startApp(t, unmodified);
    const { pid } = JSON.parse(await app.get()) as { pid: number };
    const inFlight = app.get('/?ms=1500');
    while ((await app.status()).workers[0]?.inFlight !== 1) await sleep(10);
    const load = startLoad({ origin: app.origin, clients, slowPath: '/?ms=200' });
    await load.waitForVersion('one');
    app.commit(unmodified.toVersion('two'));
    const outcome = await deploy(app);
    assert.deepEqual([outcome['path'], outcome['result']], ['swap', 'committed'], JSON.stringify(outcome));
    await load.waitForVersion('two');
    const report = await load.stop();
    assert.deepEqual(report.failures, []);
    assert.deepEqual(JSON.parse(await inFlight), { version: 'one', versionAfter: 'one', pid });
    assert.deepEqual(JSON.parse(await app.get()), { version: 'two', versionAfter: 'two', pid });
  });

  test(`${unmodified.name}: says why when it is not a swap`, async (t) => {
    const app = await startApp(t, unmodified);
    const { pid } = JSON.parse(await app.get()) as { pid: number };
    app.commit({
      ...unmodified.toVersion('two'),
      'midflight.config.json': '{ "nodeOptions": ["--stack-size=900"] }',
    });
    const { stdout, exitCode } = await app.midflight('deploy', '--detach');
    assert.equal(exitCode, 0);
    assert.match(stdout, /handoff: .*MF2002 nodeOptions differ/);
    const after = JSON.parse(await app.get()) as { pid: number; version: string };
    assert.equal(after.version, 'two');
    assert.notEqual(after.pid, pid);
  });
}

test('Socket.IO clients stay connected through a swap', async (t) => {
  const unmodified = unmodifiedApps.at(-1) as UnmodifiedApp;
  const app = await startApp(t, unmodified);
  const sockets = await Promise.all([
    connect(t, app, ['websocket']),
    connect(t, app, ['polling', 'websocket']),
  ]);
  const disconnects: string[] = [];
  for (const socket of sockets) socket.on('disconnect', (reason) => disconnects.push(reason));
  app.commit(unmodified.toVersion('two'));
  const outcome = await deploy(app);
  assert.equal(outcome['path'], 'swap');
  for (const socket of sockets) assert.equal(await socket.emitWithAck('chat message', 'still here?'), 'one');
  assert.deepEqual(disconnects, []);
  const newcomer = await connect(t, app, ['websocket']);
  assert.equal(await newcomer.emitWithAck('chat message', 'hello'), 'two');
});

test('a Socket.IO session by long polling stays with the code that began it until that is retired', async (t) => {
  const unmodified = unmodifiedApps.at(-1) as UnmodifiedApp;
  const app = await startApp(t, unmodified);
  const socket = await connect(t, app, ['polling']);
  const disconnects: string[] = [];
  socket.on('disconnect', (reason) => disconnects.push(reason));
  app.commit(unmodified.toVersion('two'));
  assert.equal((await deploy(app))['path'], 'swap');
  assert.equal(await socket.emitWithAck('chat message', 'still here?'), 'one');
  assert.deepEqual(disconnects, []);
  socket.disconnect();
});

test('Socket.IO clients that come and go by all transports meet no error while swaps come', async (t) => {
  const unmodified = unmodifiedApps.at(-1) as UnmodifiedApp;
  const app = await startApp(t, unmodified);
  const stopping = new AbortController();
  const versions = new Set<unknown>();
  const visitors = Array.from({ length: 6 }, async () => {
    while (!stopping.signal.aborted) {
      const socket = await connect(t, app, ['polling', 'websocket']);
      versions.add(await socket.emitWithAck('chat message', 'hello'));
      socket.disconnect();
    }
  });
  for (const version of ['two', 'three', 'four', 'five']) {
    app.commit(unmodified.toVersion(version));
    assert.equal((await deploy(app))['path'], 'swap');
  }
  stopping.abort();
  await Promise.all(visitors);
  assert.ok(versions.size > 2, [...versions].join(', '));
});

test('an app with node:cluster of its own is served, and handed off', async (t) => {
  const app = await createTestApp({
    files: {
      'server.mjs': `
import cluster from 'node:cluster';
import { createServer } from 'node:http';
import { version } from './version.mjs';
if (cluster.isPrimary) for (let count = 0; count < 2; count++) cluster.fork();
else createServer((request, response) => response.end(version)).listen(Number(process.env.PORT));
`,
      'version.mjs': `export const version = 'one';\n`,
    },
    config: { entry: 'server.mjs', probationMs: 100 },
  });
  t.after(() => app.dispose());
  await app.start();
  assert.equal(await app.get(), 'one');
  app.commit({ 'version.mjs': `export const version = 'two';\n` });
  const outcome = await deploy(app);
  assert.equal(outcome['path'], 'handoff');
  assert.match(JSON.stringify(outcome['reasons']), /MF2003.*uses node:cluster/);
  assert.equal(await app.get(), 'two');
});

async function connect(t: TestContext, app: TestApp, transports: string[]): Promise<Socket> {
  const socket = io(app.origin, { transports, reconnection: false, forceNew: true });
  t.after(() => socket.disconnect());
  await new Promise<void>((resolve, reject) => {
    socket.on('connect', resolve);
    socket.on('connect_error', reject);
  });
  const { engine } = socket.io;
  if (engine.transport.name === 'polling' && transports.includes('websocket'))
    await new Promise<void>((resolve) => engine.once('upgrade', () => resolve()));
  return socket;
}
