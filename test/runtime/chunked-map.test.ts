/** A map that never changes, and those derived from it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as immediate } from 'node:timers/promises';
import v8 from 'node:v8';
import vm from 'node:vm';
import { array, assert as check, integer, option, property, tuple } from 'fast-check';
import { ChunkedMap } from '../../src/runtime/chunked-map.ts';

const names = Array.from({ length: 500 }, (_, index) => `k${index}`);
const key = integer({ min: 0, max: names.length - 1 }).map((index) => names[index] ?? '');
const change = tuple(key, option(integer(), { nil: undefined }));

test('a derived map is what a plain map would be after the same changes, and the one before is as it was', () => {
  check(
    property(array(array(change, { maxLength: 200 })), (steps) => {
      const plain = new Map<string, number>();
      let map = ChunkedMap.of<number>();
      for (const step of steps) {
        const before = map;
        const was = new Map(before);
        map = map.with(step);
        for (const [name, value] of step)
          if (value === undefined) plain.delete(name);
          else plain.set(name, value);
        assert.deepEqual(new Map(map), plain);
        assert.equal(map.size, plain.size);
        assert.deepEqual(new Map(before), was);
        const differing = names.filter((name) => map.get(name) !== before.get(name));
        assert.deepEqual(map.changedSince(before).toSorted(), differing.toSorted());
        assert.deepEqual(before.changedSince(map).toSorted(), differing.toSorted());
      }
    }),
  );
});

test('what was replaced is collected, in a map of many too', async () => {
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc') as () => void;
  let map = ChunkedMap.of(names.map((name) => [name, {}] as const));
  const old = new WeakRef(map.get('k250') ?? {});
  map = map.with([['k250', {}]]);
  for (let turn = 0; turn < 10 && old.deref() !== undefined; turn++) {
    await immediate();
    collect();
  }
  assert.equal(old.deref(), undefined);
  assert.equal(map.size, names.length);
});
