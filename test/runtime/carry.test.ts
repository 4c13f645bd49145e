import assert from 'node:assert/strict';
import { test } from 'node:test';

import { RawClient } from '../support/raw-client.ts';
import { createCarryWorld } from './carry-fixture.ts';

test('an idle connection goes on in the next process, and its client sees nothing of it', async () => {
  await using world = createCarryWorld();
  const old = await world.start();
  const client = await RawClient.connect(world.port());
  assert.equal((await client.get('/one')).pid, old.pid);
  const next = await world.start();
  const { carriedCount, refusedCount } = await world.carry(old, next);
  assert.deepEqual({ carriedCount, refusedCount }, { carriedCount: 1, refusedCount: 0 });
  const answer = await client.get('/two');
  assert.deepEqual(answer, { status: 200, pid: next.pid, isClosing: false, body: '/two 0' });
  assert.deepEqual(await old.ask({ type: 'counts' }), { connectionCount: 1, openCount: 0 });
});
