/** Going back from a release in probation while a worker of it that has crashed comes back. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorkers } from '../../src/supervisor/workers.ts';
import { createFakeWorld, toRelease, type FakeRelease } from './fake-world.ts';

/** In how many orders of what happens. */
const ORDERS = 100;
const [one, two] = ['one', 'two'].map((name): FakeRelease => ({ name, workers: 2, defect: 'none' })) as [
  FakeRelease,
  FakeRelease,
];

for (const moment of ['is spawned', 'has prepared'] as const) {
  test(`going back when a worker that comes back ${moment} leaves nobody on the release that failed`, async () => {
    for (let order = 1; order <= ORDERS; order++) await goBackMeanwhile(moment, order);
  });
}

async function goBackMeanwhile(moment: 'is spawned' | 'has prepared', order: number): Promise<void> {
  let state = order;
  const random = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  let hasFault = false;
  const returns: Promise<unknown>[] = [];
  const goBackAt = (now: typeof moment): void => {
    if (now === moment && hasFault && returns.length === 0) returns.push(workers.goBack());
  };
  const world = createFakeWorld({
    releases: [one, two],
    random,
    deathRate: 0,
    onChange: () => goBackAt('has prepared'),
  });
  const { env } = world.supervise();
  const workers = createWorkers({
    ...env,
    async spawn(wanted) {
      goBackAt('is spawned');
      return env.spawn(wanted);
    },
  });
  workers.events.on('fault', () => (hasFault = true));
  await workers.start(toRelease(one));
  await workers.swap(toRelease(two));
  world.alive()[0]?.die();
  await world.settle();
  await Promise.all(returns);
  await world.settle();
  const generations = world.alive().map(({ current }) => current);
  assert.deepEqual(generations, [1, 1], `order ${order}`);
}
