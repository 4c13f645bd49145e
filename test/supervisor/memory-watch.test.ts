import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { readRssBytes, watchMemory } from '../../src/supervisor/memory-watch.ts';

const MIB = 1_048_576;

function watch(t: TestContext): { world: World; told: string[]; check(): Promise<void> } {
  const world: World = { nowMs: 0, generation: 1, rssMib: { 7: 100, 8: 100 } };
  const told: string[] = [];
  const { check, dispose } = watchMemory({
    current: () => ({ generation: world.generation, pids: [7, 8], maxRssMib: 150 }),
    rssBytesOf: async (pid) => (world.rssMib[pid] ?? 0) * MIB,
    now: () => world.nowMs,
    onOutgrown: (message, generation) => void told.push(`${generation}: ${message}`),
  });
  t.after(dispose);
  return { world, told, check };
}

interface World {
  nowMs: number;
  generation: number;
  rssMib: Record<number, number>;
}

test('a worker under the limit is nobody’s concern, one above it is named', async (t) => {
  const { world, told, check } = watch(t);
  await check();
  assert.deepEqual(told, []);
  world.rssMib[8] = 151;
  await check();
  assert.deepEqual(told, ['1: worker 8 has 151 MiB in memory, more than policy.maxRssMib (150) allows']);
});

test('who was busy is told again, but fresh processes that outgrow the limit at once are left alone for a minute', async (t) => {
  const { world, told, check } = watch(t);
  world.rssMib[7] = 200;
  await check();
  await check();
  assert.equal(told.length, 2);
  world.generation = 2;
  world.nowMs = 59_000;
  await check();
  assert.equal(told.length, 2);
  world.nowMs = 60_000;
  await check();
  assert.equal(told.length, 3);
});

test('the memory of a process is read from outside; that of one that has ended is not there', async () => {
  const bytes = await readRssBytes(process.pid);
  assert.ok(bytes !== null && bytes > 10 * MIB && bytes < 10_000 * MIB, String(bytes));
  assert.equal(await readRssBytes(2 ** 22 + 1), null);
});
