import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';

import { RawClient, toGet } from '../support/raw-client.ts';
import { type CarryProcess, createCarryWorld } from './carry-fixture.ts';

const MOVE_COUNT = Number(process.env.MOVE_COUNT ?? 20);

interface Tally {
  answered: number;
  readonly pids: Set<number>;
}

/** Asks until it is told to stop; each answer must be that of its own question, in order, and none may close. */
async function ask(
  client: RawClient,
  tally: Tally,
  name: string,
  { signal }: AbortController,
): Promise<void> {
  for (let count = 0; !signal.aborted; count++) {
    const batch = Array.from({ length: pick([1, 1, 1, 3]) }, (_, index) => `/${name}/${count}/${index}`);
    const slow = pick([false, false, false, true]) ? ['/slow/3'] : [];
    const paths = [...batch, ...slow];
    const text = paths.map(toGet).join('');
    const half = pick([0, 0, Math.trunc(Math.random() * text.length)]);
    client.write(text.slice(0, half));
    if (half > 0) await sleep(pick([0, 1, 3]));
    client.write(text.slice(half));
    for (const path of paths) {
      const answer = await client.answer();
      assert.deepEqual([answer.status, answer.body, answer.isClosing], [200, `${path} 0`, false]);
      tally.pids.add(answer.pid);
      tally.answered++;
    }
    if (pick([true, false])) await sleep(pick([0, 1, 5, 20]));
  }
}

test(`connections that are moved ${MOVE_COUNT} times under requests at every moment lose none, and keep their order`, async (t) => {
  await using world = createCarryWorld();
  let giver: CarryProcess = await world.start();
  let taker: CarryProcess = await world.start();
  await taker.ask({ type: 'pause' });
  const clients = await Promise.all(Array.from({ length: 30 }, () => RawClient.connect(world.port())));
  // Accepted by the first, and not waiting in the kernel for either.
  await Promise.all(clients.map((client) => client.get('/hello')));
  const stop = new AbortController();
  const tally: Tally = { answered: 0, pids: new Set() };
  const asking = Promise.all(clients.map((client, index) => ask(client, tally, `c${index}`, stop)));
  asking.catch(() => stop.abort());
  let carried = 0;
  for (let move = 0; move < MOVE_COUNT && !stop.signal.aborted; move++) {
    await taker.ask({ type: 'resume' });
    const report = await world.carry(giver, taker);
    assert.equal(report.refusedCount, 0);
    carried += report.carriedCount;
    [giver, taker] = [taker, giver];
  }
  stop.abort();
  await asking;
  t.diagnostic(`${carried} moves of connections, ${tally.answered} answers`);
  assert.equal(carried, MOVE_COUNT * clients.length);
  assert.equal(tally.pids.size, 2);
});

function pick<Value>(values: readonly Value[]): Value {
  return values[Math.trunc(Math.random() * values.length)] as Value;
}
