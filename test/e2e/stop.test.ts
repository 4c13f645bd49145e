/** What `midflight stop` and SIGTERM leave to clients. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createTestApp, waitForLog } from '../support/app.ts';

const server = `require('node:http').createServer((request, response) => response.end('answered')).listen(process.env.PORT, '127.0.0.1');`;

test('who has connected before a stop is answered, though the request comes after it', async (t) => {
  const app = await createTestApp({ files: { 'server.js': server }, config: { entry: 'server.js' } });
  t.after(() => app.dispose());
  const start = await app.start();
  const socket = connect(app.port, '127.0.0.1');
  await once(socket, 'connect');
  const answer = text(socket);
  while ((await app.status()).workers[0]?.open !== 1) await sleep(10);
  const { pid } = (await app.status()).workers[0] ?? { pid: 0 };
  // It is asked to stop first, and has no time to run out before it can read the request.
  process.kill(pid, 'SIGSTOP');
  const exited = once(start, 'exit');
  start.kill('SIGTERM');
  await waitForLog(start, () => app.log(), /stopping/);
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  process.kill(pid, 'SIGCONT');
  assert.match(await answer, /answered$/);
  const [exitCode] = (await exited) as [number | null];
  assert.equal(exitCode, 0);
});

const upload = `require('node:http').createServer((request, response) => request.on('end', () => response.end('late')).resume()).listen(process.env.PORT, '127.0.0.1');`;

test('what would change something after a stop is refused and leaves no trace, and the last request is answered', async (t) => {
  const config = { entry: 'server.js', drainTimeoutMs: 600_000 };
  const app = await createTestApp({ files: { 'server.js': upload }, config });
  t.after(() => app.dispose());
  const start = await app.start();
  const socket = connect(app.port, '127.0.0.1');
  const answer = text(socket);
  socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nConnection: close\r\n\r\n');
  while ((await app.status()).workers[0]?.inFlight !== 1) await sleep(10);
  const exited = once(start, 'exit');
  start.kill('SIGTERM');
  await waitForLog(start, () => app.log(), /stopping/);
  for (const verb of [['deploy'], ['rollback'], ['scale', '2'], ['upgrade-self']]) {
    const outcome = await app.midflight(...verb);
    assert.equal(outcome.exitCode, 4, verb.join(' '));
    assert.match(outcome.stderr, /ERR_MIDFLIGHT_STOPPING/);
  }
  socket.write('x');
  assert.match(await answer, /late$/);
  await exited;
  const { stdout } = await app.midflight('history', '--json');
  assert.equal((JSON.parse(stdout) as unknown[]).length, 1);
});
