import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';

import { RawClient, toGet } from '../support/raw-client.ts';
import { createCarryWorld } from './carry-fixture.ts';

/** Of the process that has the connection first: nothing is late there. */
const patient = { keepAliveTimeout: 600_000 };

test('the keep-alive timeout of a carried connection begins anew, and closes it without a word', async () => {
  await using world = createCarryWorld({ settings: { keepAliveTimeout: 200, keepAliveTimeoutBuffer: 100 } });
  const old = await world.start(patient);
  const client = await RawClient.connect(world.port());
  const next = await world.start();
  await client.get('/');
  let text = '';
  client.socket.on('data', (chunk: string) => (text += chunk));
  const ended = once(client.socket, 'end');
  assert.equal((await world.carry(old, next)).carriedCount, 1);
  await ended;
  assert.equal(text, '');
});

test('the keep-alive timeout does not cut the first request after the move, and counts again after it', async () => {
  await using world = createCarryWorld({ settings: { keepAliveTimeout: 100, keepAliveTimeoutBuffer: 100 } });
  const old = await world.start(patient);
  const next = await world.start();
  await next.ask({ type: 'pause' });
  const client = await RawClient.connect(world.port());
  await client.get('/');
  await next.ask({ type: 'resume' });
  // The request is there when the next process gets the connection: it may be late for another reason than a timeout.
  process.kill(next.pid, 'SIGSTOP');
  world.route(old, [next]);
  const carried = old.ask({ type: 'carry', timeoutMs: 60_000 });
  await old.ask({ type: 'pause' });
  client.write(toGet('/slow/500'));
  const ended = once(client.socket, 'end');
  process.kill(next.pid, 'SIGCONT');
  await carried;
  assert.equal((await client.answer()).pid, next.pid);
  await ended;
});

test('a carried connection that waits for its next request is not taken for one that never sends any', async () => {
  const timeouts = { headersTimeout: 150, requestTimeout: 150, connectionsCheckingInterval: 20 };
  await using world = createCarryWorld({ settings: { ...timeouts, ...patient } });
  const old = await world.start(patient);
  const client = await RawClient.connect(world.port());
  await client.get('/');
  const next = await world.start();
  assert.equal((await world.carry(old, next)).carriedCount, 1);
  const silent = await RawClient.connect(world.port());
  assert.equal((await silent.answer()).status, 408);
  assert.equal((await client.get('/x')).pid, next.pid);
});
