import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareSamples, type Comparison, type ComparisonVerdict } from '../../src/deploy/compare-samples.ts';
import { Histogram, type HistogramReport } from '../../src/protocol/histogram.ts';
import { emptySample, mergeSamples, type ServiceSample } from '../../src/protocol/service-sample.ts';

/** `count` values, spread as waiting times mostly are: log-normal. */
function toReport(count: number, medianUs: number, random: () => number, sigma = 0.5): HistogramReport {
  const histogram = new Histogram();
  for (let index = 0; index < count; index++) {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    histogram.record(Math.round(medianUs * Math.exp(sigma * normal)));
  }
  return histogram.report();
}

/** Of all runs the same. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Where all of the time was as its parts. */
function compareAlike(before: ServiceSample, after: ServiceSample): Comparison {
  return compareSamples(before, after, [after, after, after]);
}

const random = createRandom(7);
const good: ServiceSample = {
  durationMs: 60_000,
  answerCount: 20_000,
  errorCount: 4,
  latencyUs: toReport(20_000, 5_000, random),
  lagUs: toReport(1_200, 200, random),
  uncaughtCount: 0,
  rssBytes: 80 * 1_048_576,
};
const next: ServiceSample = {
  ...good,
  durationMs: 5_000,
  answerCount: 2_000,
  errorCount: 0,
  latencyUs: toReport(2_000, 5_000, random),
  lagUs: toReport(100, 200, random),
};

const cases: readonly {
  readonly name: string;
  readonly before?: Partial<ServiceSample>;
  readonly after?: Partial<ServiceSample>;
  readonly verdict: ComparisonVerdict;
  readonly code?: string;
}[] = [
  { name: 'the same figures are the same', verdict: 'same' },
  { name: 'a fifth of errors is worse', after: { errorCount: 400 }, verdict: 'worse', code: 'MF4001' },
  {
    name: 'all of twenty answers are errors, which is worse',
    after: { answerCount: 20, errorCount: 20, latencyUs: [] },
    verdict: 'worse',
    code: 'MF4001',
  },
  {
    name: 'a share of errors that is larger by less than a hundredth is the same',
    after: { errorCount: 15 },
    verdict: 'same',
  },
  {
    name: 'as many errors as before are the same, however many',
    before: { errorCount: 6_000 },
    after: { errorCount: 610 },
    verdict: 'same',
  },
  {
    name: 'fewer errors are better',
    before: { errorCount: 6_000 },
    after: { errorCount: 10 },
    verdict: 'better',
    code: 'MF4001',
  },
  {
    name: 'a median that is four times as long is worse',
    after: { latencyUs: toReport(2_000, 40_000, random) },
    verdict: 'worse',
    code: 'MF4002',
  },
  {
    name: 'a median that is four times as long and still short is the same',
    before: { latencyUs: toReport(20_000, 500, random) },
    after: { latencyUs: toReport(2_000, 2_000, random) },
    verdict: 'same',
  },
  {
    name: 'one answer of twenty that takes a second is worse',
    after: { latencyUs: [...toReport(1_900, 5_000, random), ...toReport(100, 1_000_000, random, 0.1)] },
    verdict: 'worse',
    code: 'MF4003',
  },
  {
    name: 'one answer of two hundred that takes a second is the same',
    after: { latencyUs: [...toReport(1_990, 5_000, random), ...toReport(10, 1_000_000, random, 0.1)] },
    verdict: 'same',
  },
  {
    name: 'a loop that lags by a fifth of a second, half of the time, is worse',
    after: {
      lagUs: [...toReport(20, 200, random), ...toReport(20, 200_000, random), ...toReport(20, 200, random)],
    },
    verdict: 'worse',
    code: 'MF4004',
  },
  {
    name: 'half a gigabyte more is worse',
    after: { rssBytes: 600 * 1_048_576 },
    verdict: 'worse',
    code: 'MF4005',
  },
  { name: 'twice as much of little is the same', after: { rssBytes: 200 * 1_048_576 }, verdict: 'same' },
  {
    name: 'four uncaught errors in five seconds are worse',
    after: { uncaughtCount: 4 },
    verdict: 'worse',
    code: 'MF4006',
  },
  { name: 'one uncaught error may be chance', after: { uncaughtCount: 1 }, verdict: 'same' },
  {
    name: 'without answers nothing is known',
    after: { answerCount: 0, errorCount: 0, latencyUs: [] },
    verdict: 'inconclusive',
  },
  { name: 'without figures of before nothing is known', before: emptySample, verdict: 'inconclusive' },
  {
    name: 'with no answer and half a gigabyte more it is worse',
    after: { answerCount: 0, errorCount: 0, latencyUs: [], rssBytes: 600 * 1_048_576 },
    verdict: 'worse',
    code: 'MF4005',
  },
];

for (const { name, before, after, verdict, code } of cases) {
  test(`compared: ${name}`, () => {
    const found = compareAlike({ ...good, ...before }, { ...next, ...after });
    assert.equal(found.verdict, verdict, JSON.stringify(found, null, 1));
    if (code !== undefined)
      assert.equal(found.aspects.find((aspect) => aspect.code === code)?.verdict, verdict);
  });
}

test('of 2,000 pairs that differ by chance alone none is worse, and none better', () => {
  const verdicts = new Set<ComparisonVerdict>();
  for (let round = 0; round < 2_000; round++) {
    const before = {
      ...good,
      errorCount: toHits(2_000, 0.02),
      answerCount: 2_000,
      latencyUs: toReport(500, 20_000, random, 1),
    };
    const after = {
      ...next,
      errorCount: toHits(400, 0.02),
      answerCount: 400,
      latencyUs: toReport(100, 20_000, random, 1),
    };
    verdicts.add(compareAlike(before, after).verdict);
  }
  assert.deepEqual([...verdicts], ['same']);
});

function toHits(count: number, chance: number): number {
  let hits = 0;
  for (let index = 0; index < count; index++) if (random() < chance) hits++;
  return hits;
}

test('what several workers have seen adds up, but for memory and time', () => {
  const merged = mergeSamples([good, next]);
  assert.deepEqual(
    [merged.answerCount, merged.errorCount, merged.durationMs, merged.rssBytes],
    [22_000, 4, 60_000, good.rssBytes],
  );
  assert.equal(Histogram.of(merged.latencyUs).total, 22_000);
});
