import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watchStalls } from '../../src/deploy/stall-watch.ts';

test('a process that was held up for a third of a second has seen a stall, and tells it once', (t) => {
  let nowMs = 0;
  t.mock.method(performance, 'now', () => nowMs);
  t.mock.timers.enable({ apis: ['setInterval'] });
  const stalls = watchStalls();
  const seen: boolean[] = [];
  for (const [passMs, fires] of [
    [50, true],
    [150, true],
    [350, true],
    [50, true],
    [350, false],
    [50, false],
  ] as const) {
    nowMs += passMs;
    if (fires) t.mock.timers.tick(50);
    seen.push(stalls.hasStalled());
  }
  stalls.end();
  assert.deepEqual(seen, [false, false, true, false, true, false]);
});
