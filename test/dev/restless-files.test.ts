import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRestlessFiles } from '../../src/dev/restless-files.ts';

test('data that brings a swap again and again is restless from the sixth on', () => {
  const files = createRestlessFiles(() => 0);
  for (let count = 1; count <= 5; count++) assert.deepEqual(files.noticeSwap(['data.json']), []);
  assert.deepEqual(files.noticeSwap(['data.json', 'page.html']), ['data.json']);
  assert.deepEqual([files.has('data.json'), files.has('page.html')], [true, false]);
});

test('code is never restless, and neither is data that is saved now and then', () => {
  let nowMs = 0;
  const files = createRestlessFiles(() => nowMs);
  for (let count = 1; count <= 20; count++) {
    nowMs += 4_000;
    assert.deepEqual(files.noticeSwap(['page.html']), []);
    for (const code of ['a.ts', 'b.mjs', 'c.jsx', 'd.cts'])
      assert.deepEqual(files.noticeSwap([code, code]), []);
  }
});
