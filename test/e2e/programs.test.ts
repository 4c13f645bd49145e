/** A program that is not Node to us, from deploy to deploy: what is seen of it, and what brings the one before back. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startLoad } from '../../scripts/load/load.ts';
import { createTestApp, type TestApp } from '../support/app.ts';

/** Unhealthy after so many questions about its health; null for never. */
function toServer(version: string, healthyCount: number | null): Record<string, string> {
  const isIll = healthyCount === null ? 'false' : `askedCount++ >= ${healthyCount}`;
  return {
    'server.cjs': `
      let askedCount = 0;
      const server = require('node:http').createServer((request, response) => {
        response.statusCode = request.url === '/health' && ${isIll} ? 500 : 200;
        response.end(JSON.stringify({ version: '${version}', versionAfter: '${version}', pid: process.pid }));
      }).listen({ fd: 3 });
      // A lame duck: the listener is closed alone, and each answer is the last one of its connection.
      process.on('SIGTERM', () => {
        server._handle.close();
        server.prependListener('request', (request, response) => response.setHeader('connection', 'close'));
        const leave = () => server.getConnections((_, count) => (count === 0 ? process.exit() : setTimeout(leave, 20)));
        leave();
      });`,
  };
}

const config = (port: number): object => ({
  command: [process.execPath, 'server.cjs'],
  listen: [`web=127.0.0.1:${port}`],
  ready: { http: '/' },
  health: { path: '/health', intervalMs: 50 },
  probationMs: 60_000,
});

async function pidOf(app: TestApp): Promise<number> {
  return (JSON.parse(await app.get()) as { pid: number }).pid;
}

test('a program that fails its health check in probation goes, and the one before is started again', async (t) => {
  const app = await createTestApp({ files: toServer('1', null), config });
  t.after(async () => app.dispose());
  await app.start();
  const load = startLoad({ origin: app.origin, clients: { newConnection: 2 } });
  t.after(async () => load.stop());
  await load.waitForVersion('1');
  // The first comes before it takes over.
  app.commit(toServer('2', 3));
  const { json, exitCode } = await app.midflight('deploy', '--json');
  assert.deepEqual([json['result'], exitCode], ['rolled-back', 3], JSON.stringify(json));
  assert.match(JSON.stringify(json), /GET \/health was answered by 500/);
  assert.match(await app.get(), /"version":"1"/);
  const { failures } = await load.stop();
  assert.deepEqual(failures, []);
});

test('a program that is ill from its start does not take over', async (t) => {
  const app = await createTestApp({ files: toServer('1', null), config });
  t.after(async () => app.dispose());
  await app.start();
  const pid = await pidOf(app);
  app.commit(toServer('2', 0));
  const { json, exitCode } = await app.midflight('deploy', '--json');
  assert.deepEqual([json['result'], exitCode], ['rejected', 3], JSON.stringify(json));
  assert.equal(await pidOf(app), pid);
  const { workers } = await app.status();
  assert.deepEqual(
    workers.map((worker) => worker.pid),
    [pid],
  );
});
