/** A stop while something else is under way. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorkers } from '../../src/supervisor/workers.ts';
import { createFakeWorld, toRelease, type FakeRelease } from './fake-world.ts';

/** In how many orders of what happens, and how late in each of them. */
const ORDERS = 5;
const MOMENTS = 30;
const [one, two] = ['one', 'two'].map((name): FakeRelease => ({ name, workers: 2, defect: 'none' })) as [
  FakeRelease,
  FakeRelease,
];

for (const path of ['swap', 'handoff', 'restart'] as const) {
  test(`a stop at any moment of a ${path} ends all processes, those that are about to serve, too`, async () => {
    for (let order = 1; order <= ORDERS; order++)
      for (let moment = 0; moment < MOMENTS; moment++) await stopDuring(path, order, moment);
  });
}

async function stopDuring(
  path: 'swap' | 'handoff' | 'restart',
  order: number,
  moment: number,
): Promise<void> {
  let state = order;
  const random = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  let left = Infinity;
  const stops: Promise<void>[] = [];
  const world = createFakeWorld({
    releases: [one, two],
    random,
    deathRate: 0,
    onChange: () => void (left-- === 0 && stops.push(workers.stop(1_000))),
  });
  const workers = createWorkers(world.supervise().env);
  await workers.start(toRelease(one));
  left = moment;
  const deploying = workers[path](toRelease(two)).catch(() => null);
  await Promise.resolve();
  await world.settle();
  if (stops.length === 0) stops.push(workers.stop(1_000));
  await world.settle();
  await Promise.all([...stops, deploying]);
  await world.settle();
  assert.deepEqual(world.alive(), [], `order ${order}, moment ${moment}`);
}

test('generations go on from the count of another keeper', async () => {
  const world = createFakeWorld({ releases: [one], random: () => 0.5, deathRate: 0 });
  const workers = createWorkers(world.supervise().env);
  workers.countFrom(7);
  await workers.start(toRelease(one));
  assert.equal(workers.generation(), 8);
  assert.equal(world.notebook()?.generationCount, 8);
});
