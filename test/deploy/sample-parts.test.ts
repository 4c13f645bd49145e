import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SampleParts } from '../../src/deploy/sample-parts.ts';
import { emptySample, SAMPLE_KEPT_MS, type ServiceSample } from '../../src/protocol/service-sample.ts';

const toSample = (durationMs: number, latencyUs: ServiceSample['latencyUs']): ServiceSample => ({
  ...emptySample,
  durationMs,
  latencyUs,
});

const first = toSample(1_000, [[10, 3]]);
const second = toSample(2_000, [
  [10, 5],
  [20, 1],
]);

test('a part is what a sample has more than the one before', () => {
  const parts = new SampleParts();
  parts.add(first, false);
  assert.deepEqual(
    parts.add(second, false).map(({ latencyUs }) => latencyUs),
    [
      [[10, 3]],
      [
        [10, 2],
        [20, 1],
      ],
    ],
  );
});

test('a part in which the machine has stalled is left out, and so is the one after it', () => {
  const parts = new SampleParts();
  assert.equal(parts.add(first, true).length, 0);
  assert.equal(parts.add(second, false).length, 0);
  assert.deepEqual(parts.add(toSample(3_000, [...second.latencyUs, [30, 4]]), false)[0]?.latencyUs, [
    [30, 4],
  ]);
});

test('a sample that has forgotten what was before is a part as it stands', () => {
  const parts = new SampleParts();
  parts.add(toSample(SAMPLE_KEPT_MS, [[10, 9]]), false);
  assert.deepEqual(parts.add(toSample(SAMPLE_KEPT_MS + 3_000, [[10, 8]]), false)[1]?.latencyUs, [[10, 8]]);
});
