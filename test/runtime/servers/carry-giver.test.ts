import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { CARRY_LATE } from '../../../src/protocol/messages.ts';
import { RawClient } from '../../support/raw-client.ts';
import { createWorld } from '../servers-fixture.ts';

for (const { reason, offerCount, report } of [
  { reason: CARRY_LATE, offerCount: 2, report: { carriedCount: 1, refusedCount: 0 } },
  { reason: 'full', offerCount: 1, report: { carriedCount: 0, refusedCount: 1 } },
])
  test(`a connection that is refused with "${reason}" is offered ${offerCount} times`, async () => {
    using world = createWorld();
    await world.deploy(() =>
      http.createServer((_request, response) => response.end()).listen(0, '127.0.0.1'),
    );
    const client = await RawClient.connect(world.port());
    await client.get('/');
    await world.adoption.stopAccepting();
    let count = 0;
    const given = await world.adoption.giveAway({
      give: async () => (++count === 1 ? { status: 'refused', reason } : { status: 'accepted' }),
      sendNote: () => undefined,
      timeoutMs: 60_000,
    });
    assert.partialDeepStrictEqual(given, report);
    assert.equal(count, offerCount);
    client.socket.destroy();
  });
