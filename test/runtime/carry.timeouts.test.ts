import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';

import { RawClient } from '../support/raw-client.ts';
import { createCarryWorld } from './carry-fixture.ts';

test('the keep-alive timeout of a carried connection begins anew, and closes it without a word', async () => {
  await using world = createCarryWorld({ settings: { keepAliveTimeout: 200, keepAliveTimeoutBuffer: 100 } });
  const old = await world.start();
  const client = await RawClient.connect(world.port());
  const next = await world.start();
  await client.get('/');
  assert.equal((await world.carry(old, next)).carriedCount, 1);
  let text = '';
  client.socket.on('data', (chunk: string) => (text += chunk));
  await once(client.socket, 'end');
  assert.equal(text, '');
});

test('the keep-alive timeout does not cut the first request after the move, and counts again after it', async () => {
  await using world = createCarryWorld({ settings: { keepAliveTimeout: 100, keepAliveTimeoutBuffer: 100 } });
  const old = await world.start();
  const next = await world.start();
  await next.ask({ type: 'pause' });
  const client = await RawClient.connect(world.port());
  await client.get('/');
  await next.ask({ type: 'resume' });
  await world.carry(old, next);
  assert.equal((await client.get('/slow/500')).pid, next.pid);
  await once(client.socket, 'end');
});

test('a carried connection that waits for its next request is not taken for one that never sends any', async () => {
  const timeouts = { headersTimeout: 150, requestTimeout: 150, connectionsCheckingInterval: 20 };
  await using world = createCarryWorld({ settings: { ...timeouts, keepAliveTimeout: 60_000 } });
  const old = await world.start();
  const client = await RawClient.connect(world.port());
  await client.get('/');
  const next = await world.start();
  assert.equal((await world.carry(old, next)).carriedCount, 1);
  const silent = await RawClient.connect(world.port());
  assert.equal((await silent.answer()).status, 408);
  assert.equal((await client.get('/x')).pid, next.pid);
});
