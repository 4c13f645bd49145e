/** A swap while a worker that has crashed comes back. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorkers } from '../../src/supervisor/workers.ts';
import { createFakeWorld, toRelease, type FakeRelease } from './fake-world.ts';

/** In how many orders of what happens. */
const ORDERS = 300;
const [one, two] = ['one', 'two'].map((name): FakeRelease => ({ name, workers: 2, defect: 'none' })) as [
  FakeRelease,
  FakeRelease,
];

for (const moment of ['is spawned', 'has prepared'] as const) {
  test(`a swap that begins when a worker that comes back ${moment} leaves all on the new release, without a fault`, async () => {
    for (let order = 1; order <= ORDERS; order++) await swapMeanwhile(moment, order);
  });
}

async function swapMeanwhile(moment: 'is spawned' | 'has prepared', order: number): Promise<void> {
  let state = order;
  const random = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  const faults: number[] = [];
  const swaps: Promise<unknown>[] = [];
  const swapAt = (now: typeof moment): void => {
    if (now === moment && faults.length > 0 && swaps.length === 0) swaps.push(workers.swap(toRelease(two)));
  };
  const world = createFakeWorld({
    releases: [one, two],
    random,
    deathRate: 0,
    onChange: () => swapAt('has prepared'),
  });
  const { env } = world.supervise();
  const workers = createWorkers({
    ...env,
    async spawn(wanted) {
      swapAt('is spawned');
      return env.spawn(wanted);
    },
  });
  workers.events.on('fault', (_, generation) => faults.push(generation));
  await workers.start(toRelease(one));
  world.alive()[0]?.die();
  await world.settle();
  await Promise.all(swaps);
  await world.settle();
  assert.deepEqual(faults, [1], `order ${order}`);
  const generations = world.alive().map(({ current }) => current);
  assert.deepEqual(generations, [2, 2], `order ${order}`);
}
