/** Workers of which one has all connections: the others get their share, and no client notices. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTestApp, waitForLog } from '../support/app.ts';
import { RawClient } from '../support/raw-client.ts';

const server = `
require('node:http').createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  response.setHeader('x-pid', process.pid);
  response.end('served');
}).listen(process.env.PORT, '127.0.0.1');
`;

/** Who has given that many of 100 to one other has not far more than that one any more. */
const GIVEN_MIN = 18;

test('a worker that is started later gets its share of the connections that are open', async (t) => {
  const config = { entry: 'server.js' };
  const app = await createTestApp({ files: { 'server.js': server }, config });
  t.after(() => app.dispose());
  const supervisor = await app.start();
  const clients = await Promise.all(Array.from({ length: 100 }, () => RawClient.connect(app.port)));
  const pids = async (): Promise<number[]> => {
    const answers = await Promise.all(clients.map((client) => client.get('/')));
    assert.ok(answers.every(({ status, isClosing }) => status === 200 && !isClosing));
    return answers.map(({ pid }) => pid);
  };
  const [first] = await pids();
  assert.equal(new Set(await pids()).size, 1);
  await app.midflight('scale', '2');
  // Half of them, at once or in parts where the machine is busy.
  const given = (): number => {
    const counts = app.log().matchAll(/had more connections than the others, and gave them (\d+)/g);
    return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
  };
  await waitForLog(supervisor, () => String(given() >= GIVEN_MIN), /true/);
  const after = await pids();
  const stayedCount = after.filter((pid) => pid === first).length;
  assert.ok(stayedCount >= 40 && stayedCount <= 100 - GIVEN_MIN, `${stayedCount} of 100 stayed`);
  assert.equal(new Set(after).size, 2);
  for (const { socket } of clients) socket.destroy();
});
