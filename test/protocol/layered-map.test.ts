/** A map that never changes, and those derived from it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as check, constantFrom, integer, option, property, tuple } from 'fast-check';
import { LayeredMap } from '../../src/protocol/layered-map.ts';

const key = constantFrom('a', 'b', 'c', 'd', 'e');
const change = tuple(key, option(integer(), { nil: undefined }));

test('a derived map is what a plain map would be after the same changes, and the one before is as it was', () => {
  check(
    property(array(array(change)), (steps) => {
      const plain = new Map<string, number>();
      let map = LayeredMap.of<number>();
      for (const step of steps) {
        const before = map;
        const was = before.toJSON();
        map = map.with(new Map(step));
        for (const [name, value] of new Map(step))
          if (value === undefined) plain.delete(name);
          else plain.set(name, value);
        assert.deepEqual(map.toJSON(), LayeredMap.of(plain).toJSON());
        assert.deepEqual(before.toJSON(), was);
        const differing = ['a', 'b', 'c', 'd', 'e'].filter((name) => map.get(name) !== before.get(name));
        assert.deepEqual(map.changedSince(before).toSorted(), differing);
      }
    }),
  );
});

test('many differences become a map of their own, and are compared all the same', () => {
  const first = LayeredMap.of(Array.from({ length: 1_000 }, (_, index) => [`k${index}`, index] as const));
  const changes = new Map(Array.from({ length: 500 }, (_, index) => [`k${index}`, -1] as const));
  const second = first.with(changes);
  assert.notEqual(second.layers().base, first.layers().base);
  assert.equal(second.changedSince(first).length, 500);
  assert.equal(second.get('k999'), 999);
});
