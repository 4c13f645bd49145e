/** Who gives live connections to whom. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toGifts } from '../../src/supervisor/balance.ts';

test('one that has far more than its share gives what is above the mean to those below it', () => {
  assert.deepEqual(toGifts([400, 0, 80]), [{ from: 0, to: [1, 2], countMax: 240 }]);
});

test('two may give at the same time', () => {
  assert.deepEqual(toGifts([300, 300, 0, 0]), [
    { from: 0, to: [2, 3], countMax: 150 },
    { from: 1, to: [2, 3], countMax: 150 },
  ]);
});

test('what is less than half as many more, or only a few, stays where it is', () => {
  for (const counts of [
    [149, 51],
    [33, 0],
    [100, 100],
    [0, 0, 0],
    [60, 0],
  ])
    assert.deepEqual(toGifts(counts), []);
});

test('what was given does not come back', () => {
  for (const counts of [
    [1_000, 0],
    [160, 0, 30, 10],
    [21, 11, 185, 83],
    [500, 400, 0, 0, 0],
  ]) {
    const after = [...counts];
    for (const { from, to, countMax } of toGifts(counts)) {
      after[from]! -= countMax;
      for (let given = 0; given < countMax; given++) after[to[given % to.length]!]!++;
    }
    assert.notDeepEqual(after, counts);
    assert.deepEqual(toGifts(after), [], String(after));
  }
});
