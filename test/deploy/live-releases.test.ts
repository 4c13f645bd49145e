/** Which releases stay: each kind of root holds one by itself, and nothing that has none stays. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { findLiveReleases, releaseRoots, type ReleaseFacts } from '../../src/deploy/live-releases.ts';

const HOUR_MS = 3_600_000;
const onDisk = ['a', 'b', 'c', 'd', 'e'];
const facts: ReleaseFacts = { onDisk, deployed: onDisk, held: {}, keep: 2, ageMsOf: () => 100 * HOUR_MS };

/** What makes `a`, the oldest, live by this root alone. */
const byRoot: Readonly<Record<(typeof releaseRoots)[number], Partial<ReleaseFacts>>> = {
  current: { held: { current: ['a'] } },
  proved: { held: { proved: ['a'] } },
  before: { held: { before: [null, 'a'] } },
  pinned: { held: { pinned: ['a'] } },
  'at-work': { held: { 'at-work': ['a', null] } },
  probation: { held: { probation: ['a'] } },
  worker: { held: { worker: ['a', 'a'] } },
  newest: { deployed: ['b', 'c', 'd', 'e', 'a'] },
  young: { keep: { count: 2, days: 1 }, ageMsOf: (id) => (id === 'a' ? 23 : 25) * HOUR_MS },
  unrecorded: { deployed: ['b', 'c', 'd', 'e'], ageMsOf: (id) => (id === 'a' ? 0 : 100) * HOUR_MS },
};

test('without a root a release goes, and the newest by the record stay', () => {
  assert.deepEqual([...findLiveReleases(facts).keys()], ['d', 'e']);
});

for (const root of releaseRoots) {
  test(`a release stays that is live as ${root} alone`, () => {
    assert.deepEqual(findLiveReleases({ ...facts, ...byRoot[root] }).get('a'), [root]);
  });
}

test('the record says what is newest, whatever clock the ids were made by; what it does not know was before', () => {
  const deployed = ['20260103', '20260101'];
  const live = findLiveReleases({ ...facts, onDisk: ['20260101', '20260103', '20260109'], deployed });
  assert.deepEqual([...live.keys()], ['20260101', '20260103']);
});

test('a clock that went back makes nothing old', () => {
  const live = findLiveReleases({ ...facts, deployed: [], keep: 2, ageMsOf: () => -HOUR_MS });
  assert.equal(live.size, onDisk.length);
});

test('whatever is held stays, no more than that and what keep says does', () => {
  const all = 'abcdefghij'.split('');
  const ids = fc.subarray(all);
  const held = fc.record(Object.fromEntries(releaseRoots.map((root) => [root, ids])));
  fc.assert(
    fc.property(
      ids,
      fc.shuffledSubarray(all),
      held,
      fc.integer({ min: 2, max: 12 }),
      (disk, deployed, roots, keep) => {
        const live = findLiveReleases({ ...facts, onDisk: disk, deployed, held: roots, keep });
        const wanted = new Set(Object.values(roots).flat());
        for (const id of disk) assert.ok(!wanted.has(id) || live.has(id));
        for (const id of live.keys()) assert.ok(disk.includes(id));
        const surplus = [...live.keys()].filter((id) => !wanted.has(id));
        assert.ok(surplus.length <= keep);
        assert.ok(live.size >= Math.min(keep, disk.length));
      },
    ),
  );
});
