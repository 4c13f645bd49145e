/**
 * Whether a release serves better or worse than the one before, by the figures of both. Pure.
 *
 *   aspect  | a release is worse where
 *   errors  | Fisher's exact test finds a larger share of errors, and it is larger by ERROR_SHARE_MARGIN at least
 *   latency | more answers than the quantile allows are slower than what the one before did not exceed, by a factor and a floor
 *   lag     | the same, of the event loop
 *   uncaught| a binomial test finds more in the same time
 *   memory  | it has MEMORY_FACTOR times as much, and MEMORY_FLOOR_BYTES more: no test, one process has one figure
 *
 * Every test asks for a chance below ALPHA that a release that is no worse looks so; the margins keep out what is certain and
 * does not matter. They suppose that answers are slow independently of each other, which those are not that one stall delays: so
 * latency and lag have to be worse in the last LASTING_COUNT parts of the time as well, each by itself. Why these: docs/design/probation/design.md.
 */

import { Histogram, type HistogramReport } from '../protocol/histogram.ts';
import type { ServiceSample } from '../protocol/service-sample.ts';
import type { SamplePart } from './sample-parts.ts';
import { binomialTail, hypergeometricTail } from './tail-probability.ts';

export const comparisonVerdicts = ['better', 'same', 'worse', 'inconclusive'] as const;
export type ComparisonVerdict = (typeof comparisonVerdicts)[number];

export interface AspectComparison {
  readonly code: string;
  readonly verdict: ComparisonVerdict;
  /** In words, with the figures of both. */
  readonly message: string;
}

export interface Comparison {
  readonly verdict: ComparisonVerdict;
  readonly aspects: readonly AspectComparison[];
}

/** Six looks in one probation, each of six aspects, at this: a release that is no worse looks so once in 400 deploys at most. */
const ALPHA = 0.00006;
/** The same for one side of a normal distribution. */
const Z = 3.85;
const ANSWER_COUNT_MIN = 20;
const QUANTILE_COUNT_MIN = 50;
/** One stall is in two of them at most. */
const LASTING_COUNT = 3;
/** With fewer, a part says nothing. */
const PART_COUNT_MIN = 5;
const ERROR_SHARE_MARGIN = 0.01;
const MEMORY_FACTOR = 2;
const MEMORY_FLOOR_BYTES = 256 * 1_048_576;
const BYTES_PER_MIB = 1_048_576;

interface Quantile {
  readonly code: string;
  readonly name: string;
  readonly of: (part: SamplePart) => HistogramReport;
  readonly share: number;
  readonly factor: number;
  readonly floorUs: number;
}

const quantiles: readonly Quantile[] = [
  { code: 'MF4002', name: 'median latency', of: (s) => s.latencyUs, share: 0.5, factor: 2, floorUs: 10_000 },
  { code: 'MF4003', name: 'p99 latency', of: (s) => s.latencyUs, share: 0.99, factor: 3, floorUs: 100_000 },
  { code: 'MF4004', name: 'p90 event-loop lag', of: (s) => s.lagUs, share: 0.9, factor: 3, floorUs: 50_000 },
];

/** Compares a release with the one before it, by all that is known of it and by the parts of that. Worse in one aspect is worse;
 *  without an answer to the first two questions, errors and median latency, it is inconclusive. */
export function compareSamples(
  before: ServiceSample,
  after: ServiceSample,
  parts: readonly SamplePart[],
): Comparison {
  const aspects = [
    compareErrors(before, after),
    ...quantiles.map((quantile) => compareQuantile(quantile, { before, after, parts })),
    compareMemory(before, after),
    compareUncaught(before, after),
  ];
  return { verdict: toVerdict(aspects), aspects };
}

function toVerdict(aspects: readonly AspectComparison[]): ComparisonVerdict {
  const has = (wanted: ComparisonVerdict): boolean => aspects.some(({ verdict }) => verdict === wanted);
  if (has('worse')) return 'worse';
  const essential = aspects.slice(0, 2);
  if (essential.some(({ verdict }) => verdict === 'inconclusive')) return 'inconclusive';
  return has('better') ? 'better' : 'same';
}

/** Worse one way round is better the other. */
function judge<Side>(
  isWorse: (before: Side, after: Side) => boolean,
  before: Side,
  after: Side,
): ComparisonVerdict {
  if (isWorse(before, after)) return 'worse';
  return isWorse(after, before) ? 'better' : 'same';
}

function compareErrors(before: ServiceSample, after: ServiceSample): AspectComparison {
  const message = `errors: ${toShareText(after)}, before ${toShareText(before)}`;
  const isEnough = Math.min(before.answerCount, after.answerCount) >= ANSWER_COUNT_MIN;
  const verdict = isEnough ? judge(hasMoreErrors, before, after) : 'inconclusive';
  return { code: 'MF4001', verdict, message };
}

function hasMoreErrors(before: ServiceSample, after: ServiceSample): boolean {
  const excess = after.errorCount / after.answerCount - before.errorCount / before.answerCount;
  if (excess < ERROR_SHARE_MARGIN) return false;
  return (
    hypergeometricTail({
      drawn: after.answerCount,
      marked: after.errorCount + before.errorCount,
      total: after.answerCount + before.answerCount,
      atLeast: after.errorCount,
    }) < ALPHA
  );
}

interface Compared {
  readonly before: ServiceSample;
  readonly after: ServiceSample;
  readonly parts: readonly SamplePart[];
}

function compareQuantile(quantile: Quantile, { before, after, parts }: Compared): AspectComparison {
  const { code, name, of, share } = quantile;
  const [one, other] = [Histogram.of(of(before)), Histogram.of(of(after))];
  const at = (histogram: Histogram): string =>
    `${toMsText(histogram.valueAt(Math.ceil(share * histogram.total)))} of ${histogram.total}`;
  const message = `${name}: ${at(other)}, before ${at(one)}`;
  const isEnough = hasQuantile(one, share) && other.total >= QUANTILE_COUNT_MIN;
  const isWorse = (slow: Histogram, slower: Histogram): boolean => isSlower(quantile, slow, slower);
  const verdict = isEnough ? judge(isWorse, one, other) : 'inconclusive';
  if (verdict !== 'worse' || isLasting(quantile, one, parts)) return { code, verdict, message };
  return {
    code,
    verdict: 'inconclusive',
    message: `${message}; not in all parts of the time, so it may be a stall`,
  };
}

/** Of each part it is asked whether, not how certainly: that the whole says. */
function isLasting(quantile: Quantile, before: Histogram, parts: readonly SamplePart[]): boolean {
  const limit = limitOf(quantile, before);
  const known = parts
    .map((part) => Histogram.of(quantile.of(part)))
    .filter(({ total }) => total >= PART_COUNT_MIN);
  const last = known.slice(-LASTING_COUNT);
  return (
    last.length === LASTING_COUNT &&
    last.every((part) => part.countAbove(limit) > part.total * (1 - quantile.share))
  );
}

/** The share of what exceeds the limit, at the lower end of its Wilson interval, is more than the quantile leaves above it. */
function isSlower(quantile: Quantile, before: Histogram, after: Histogram): boolean {
  if (!hasQuantile(before, quantile.share)) return false;
  const slowCount = after.countAbove(limitOf(quantile, before));
  return wilsonLower(slowCount, after.total) > 1 - quantile.share;
}

/** What the quantile before was at most, by a factor, and by a floor at least. */
function limitOf({ share, factor, floorUs }: Quantile, before: Histogram): number {
  const highest = before.valueAt(upperRank(before.total, share));
  return Math.max(highest * factor, highest + floorUs);
}

/** It is known up to which value its true quantile may be. */
function hasQuantile({ total }: Histogram, share: number): boolean {
  return total >= QUANTILE_COUNT_MIN && upperRank(total, share) <= total;
}

/** The order statistic that the true quantile does not exceed, with confidence Z: nothing is supposed of how values are spread. */
function upperRank(count: number, share: number): number {
  return Math.ceil(count * share + Z * Math.sqrt(count * share * (1 - share))) + 1;
}

function wilsonLower(hits: number, count: number): number {
  const share = hits / count;
  const square = Z * Z;
  const spread = Z * Math.sqrt((share * (1 - share)) / count + square / (4 * count * count));
  return (share + square / (2 * count) - spread) / (1 + square / count);
}

function compareMemory(before: ServiceSample, after: ServiceSample): AspectComparison {
  const toMib = ({ rssBytes }: ServiceSample): number => Math.round(rssBytes / BYTES_PER_MIB);
  const message = `memory: ${toMib(after)} MiB, before ${toMib(before)} MiB`;
  const isEnough = before.rssBytes > 0 && after.rssBytes > 0;
  return { code: 'MF4005', verdict: isEnough ? judge(hasGrown, before, after) : 'inconclusive', message };
}

function hasGrown(before: ServiceSample, after: ServiceSample): boolean {
  const limit = Math.max(before.rssBytes * MEMORY_FACTOR, before.rssBytes + MEMORY_FLOOR_BYTES);
  return after.rssBytes > limit;
}

function compareUncaught(before: ServiceSample, after: ServiceSample): AspectComparison {
  const toText = ({ uncaughtCount, durationMs }: ServiceSample): string =>
    `${uncaughtCount} in ${Math.round(durationMs / 1_000)} s`;
  const message = `uncaught errors: ${toText(after)}, before ${toText(before)}`;
  const isEnough = before.durationMs > 0 && after.durationMs > 0;
  return { code: 'MF4006', verdict: isEnough ? judge(throwsMore, before, after) : 'inconclusive', message };
}

/** Where both threw as often, each of all that were thrown fell into the time of one of them by chance. */
function throwsMore(before: ServiceSample, after: ServiceSample): boolean {
  const count = before.uncaughtCount + after.uncaughtCount;
  const chance = after.durationMs / (before.durationMs + after.durationMs);
  return count > 0 && binomialTail({ count, chance, atLeast: after.uncaughtCount }) < ALPHA;
}

function toShareText({ errorCount, answerCount }: ServiceSample): string {
  const percent = answerCount === 0 ? 0 : (errorCount / answerCount) * 100;
  return `${errorCount} of ${answerCount} (${percent.toFixed(1)} %)`;
}

function toMsText(us: number): string {
  return `${(us / 1_000).toFixed(us < 10_000 ? 1 : 0)} ms`;
}
