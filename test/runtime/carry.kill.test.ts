import assert from 'node:assert/strict';
import { test } from 'node:test';

import { RawClient, toGet } from '../support/raw-client.ts';
import { createCarryWorld } from './carry-fixture.ts';

const CLIENT_COUNT = 200;

async function connectAll(port: number, count: number): Promise<RawClient[]> {
  const clients = await Promise.all(Array.from({ length: count }, () => RawClient.connect(port)));
  for (const client of clients) await client.get('/');
  return clients;
}

/** Which process answers, 0 for a connection that was cut. */
async function whoAnswers(client: RawClient): Promise<number> {
  return (await client.get('/x').catch(() => ({ pid: 0 }))).pid;
}

function countOf(pids: readonly number[], { pid }: { pid: number }): number {
  return pids.filter((each) => each === pid).length;
}

test('connections that were offered to a process that hangs, and is killed, are served by the one that had them', async () => {
  await using world = createCarryWorld();
  const old = await world.start();
  const clients = await connectAll(world.port(), 20);
  const next = await world.start();
  next.hosted.kill('SIGSTOP');
  world.route(old, [next]);
  const carried = old.ask({ type: 'carry', timeoutMs: 10_000 });
  await old.ask({ type: 'pause' });
  for (const client of clients) client.write(toGet('/meanwhile'));
  const answers = clients.map((client) => client.answer());
  // Those that wait for their turn are served all the while.
  await Promise.any(answers);
  next.hosted.kill('SIGKILL');
  for (const { pid, status } of await Promise.all(answers)) assert.deepEqual([pid, status], [old.pid, 200]);
  assert.partialDeepStrictEqual(await carried, { carriedCount: 0 });
});

test('a receiver that is killed while it gets connections takes those with it that it had accepted, and no other', async (t) => {
  await using world = createCarryWorld();
  const old = await world.start();
  const clients = await connectAll(world.port(), CLIENT_COUNT);
  const next = await world.start();
  const moved = clients[20]?.getFrom(next.pid);
  const carried = world.carry(old, next);
  await moved;
  next.hosted.kill('SIGKILL');
  const { carriedCount } = await carried;
  const pids = await Promise.all(clients.map(whoAnswers));
  t.diagnostic(`${carriedCount} of ${CLIENT_COUNT} were accepted before the end`);
  assert.equal(countOf(pids, old), CLIENT_COUNT - carriedCount);
});

test('a giver that is killed while it gives cuts what it still had; each other connection is served by the next', async () => {
  await using world = createCarryWorld();
  const old = await world.start();
  const clients = await connectAll(world.port(), CLIENT_COUNT);
  const next = await world.start();
  const moved = clients[20]?.getFrom(next.pid);
  world.carry(old, next).catch(() => null);
  await moved;
  old.hosted.kill('SIGKILL');
  await old.hosted.exited;
  const pids = await Promise.all(clients.map(whoAnswers));
  assert.equal(countOf(pids, next) + countOf(pids, { pid: 0 }), CLIENT_COUNT);
  assert.ok(countOf(pids, next) > 0);
});
