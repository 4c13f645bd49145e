import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Histogram, HISTOGRAM_VALUE_MAX } from '../../src/protocol/histogram.ts';

test('a value is given back too high by an eighth at most, and never too low', () => {
  for (let value = 0; value < 2 ** 31 - 1; value = Math.ceil(value * 1.07) + 1) {
    const histogram = new Histogram();
    histogram.record(value);
    const found = histogram.valueAt(1);
    assert.ok(found >= value && found <= value * 1.125, `${value} became ${found}`);
  }
});

test('what is above a value is counted, but for what may be below it', () => {
  const histogram = new Histogram();
  for (let value = 1; value <= 1_000; value++) histogram.record(value);
  assert.equal(histogram.countAbove(0), 1_000);
  assert.equal(histogram.countAbove(511), 489);
  assert.equal(histogram.countAbove(512), 1_000 - 575);
  assert.equal(histogram.countAbove(1_000), 0);
});

test('a value beyond the highest counts as the highest', () => {
  const histogram = new Histogram();
  histogram.record(2 ** 40);
  assert.equal(histogram.valueAt(1), HISTOGRAM_VALUE_MAX);
  assert.equal(histogram.countAbove(HISTOGRAM_VALUE_MAX), 0);
});

test('reports of several histograms add up to one of all their values', () => {
  const [one, other, both] = [new Histogram(), new Histogram(), new Histogram()];
  for (const value of [3, 3, 17, 90_000]) {
    one.record(value);
    both.record(value);
  }
  for (const value of [17, 4_000_000]) {
    other.record(value);
    both.record(value);
  }
  const merged = Histogram.of(one.report(), other.report());
  assert.deepEqual([merged.report(), merged.total], [both.report(), 6]);
});

test('a histogram that was cleared is empty', () => {
  const histogram = new Histogram();
  histogram.record(12);
  histogram.clear();
  assert.deepEqual([histogram.report(), histogram.total, histogram.valueAt(1)], [[], 0, 0]);
});
