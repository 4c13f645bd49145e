import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as tick } from 'node:timers/promises';
import { createTurns } from '../../src/deploy/turns.ts';

const LONG_MS = 60_000;

test('those who wait have their turns in the order in which they came', async () => {
  const turns = createTurns(() => 'the first');
  const order: number[] = [];
  const giveBack = await turns.take({ waitMs: 0 });
  const others = [1, 2, 3].map(async (number) => {
    const done = await turns.take({ waitMs: LONG_MS });
    order.push(number);
    await tick();
    done();
  });
  assert.equal(turns.isTaken(), true);
  giveBack();
  // Giving back twice gives nobody a second turn.
  giveBack();
  await Promise.all(others);
  assert.deepEqual(order, [1, 2, 3]);
  assert.equal(turns.isTaken(), false);
});

test('who does not wait is refused, and told who is at work', async () => {
  const turns = createTurns(() => 'deploy of main');
  await turns.take({ waitMs: 0 });
  await assert.rejects(turns.take({ waitMs: 0 }), {
    code: 'ERR_MIDFLIGHT_DEPLOY_LOCKED',
    message: /deploy of main.*--wait/,
  });
});

test('a turn that is given back in the moment in which who waits for it goes is free', async () => {
  const turns = createTurns(() => 'deploy of main');
  const giveBack = await turns.take({ waitMs: 0 });
  const gone = new AbortController();
  const unwanted = turns.take({ waitMs: LONG_MS, signal: gone.signal });
  gone.abort();
  giveBack();
  await assert.rejects(unwanted, { code: 'ERR_MIDFLIGHT_DEPLOY_LOCKED' });
  assert.equal(turns.isTaken(), false);
});

test('a wait that lasts too long, or that nobody wants any more, ends and is passed over', async () => {
  const turns = createTurns(() => 'deploy of main');
  const giveBack = await turns.take({ waitMs: 0 });
  const gone = new AbortController();
  const told: string[] = [];
  const tooLong = turns.take({ waitMs: 5, onWait: (holder) => told.push(holder) });
  const unwanted = turns.take({ waitMs: LONG_MS, signal: gone.signal });
  const patient = turns.take({ waitMs: LONG_MS });
  gone.abort();
  await Promise.all([
    assert.rejects(tooLong, { code: 'ERR_MIDFLIGHT_DEPLOY_LOCKED', message: /5 ms/ }),
    assert.rejects(unwanted, { code: 'ERR_MIDFLIGHT_DEPLOY_LOCKED' }),
  ]);
  assert.deepEqual(told, ['deploy of main']);
  giveBack();
  (await patient)();
  assert.equal(turns.isTaken(), false);
});
