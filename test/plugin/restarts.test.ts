import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Restarts } from '../../src/plugin/restarts.ts';

test('what ends again and again is started later each time, rests after too many, and begins anew when it has lasted', () => {
  const restarts = new Restarts({ failures: 4, restMs: 10_000 });
  const ends = [0, 100, 300, 700, 11_000, 60_000].map((atMs) => restarts.next(atMs));
  assert.deepEqual(ends, [
    { delayMs: 50, isRest: false },
    { delayMs: 100, isRest: false },
    { delayMs: 200, isRest: false },
    { delayMs: 10_000, isRest: true },
    { delayMs: 10_000, isRest: true },
    { delayMs: 50, isRest: false },
  ]);
});
