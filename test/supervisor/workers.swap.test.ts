/** A swap while a worker that has crashed comes back. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorkers } from '../../src/supervisor/workers.ts';
import { createFakeWorld, toRelease, type FakeRelease } from './fake-world.ts';

/** In how many orders of what happens. */
const ORDERS = 300;

test('a worker that comes back while a swap is prepared is no fault of the new release', async () => {
  const [one, two] = ['one', 'two'].map((name): FakeRelease => ({ name, workers: 2, defect: 'none' }));
  assert.ok(one && two);
  for (let order = 1; order <= ORDERS; order++) {
    let state = order;
    const random = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
    const swaps: Promise<unknown>[] = [];
    const world = createFakeWorld({
      releases: [one, two],
      random,
      deathRate: 0,
      onChange() {
        if (faults.length > 0 && swaps.length === 0) swaps.push(workers.swap(toRelease(two)));
      },
    });
    const workers = createWorkers(world.supervise().env);
    const faults: number[] = [];
    workers.events.on('fault', (_, generation) => faults.push(generation));
    await workers.start(toRelease(one));
    world.alive()[0]?.die();
    // The next that happens is that the worker in its place has prepared.
    await world.settle();
    await Promise.all(swaps);
    await world.settle();
    assert.deepEqual(faults, [1], `order ${order}`);
    assert.equal(world.alive().length, 2);
    for (const { current } of world.alive()) assert.equal(current, 2);
  }
});
