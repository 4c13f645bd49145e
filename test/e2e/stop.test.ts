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
  while (((await app.status()).workers[0] as { open?: number } | undefined)?.open !== 1) await sleep(10);
  start.kill('SIGTERM');
  await waitForLog(start, () => app.log(), /stopping/);
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  assert.match(await answer, /answered$/);
  const [exitCode] = (await once(start, 'exit')) as [number | null];
  assert.equal(exitCode, 0);
});
