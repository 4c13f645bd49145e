/**
 * How often a value came, in buckets whose width grows with the value: eight to each power of two, so that a bucket is at most an
 * eighth wide of what it counts. Of fixed size; counts of several processes are added up.
 */

const PER_OCTAVE_BITS = 3;
const PER_OCTAVE = 2 ** PER_OCTAVE_BITS;
/** What is more counts as this: 35 minutes where the unit is a microsecond. */
export const HISTOGRAM_VALUE_MAX = 2 ** 31 - 1;
const BUCKET_COUNT = (31 - PER_OCTAVE_BITS) * PER_OCTAVE + PER_OCTAVE;

/** Pairs of bucket and count, without those that are empty. */
export type HistogramReport = readonly (readonly [bucket: number, count: number])[];

export class Histogram {
  readonly #counts = new Uint32Array(BUCKET_COUNT);
  #total = 0;

  static of(...reports: readonly HistogramReport[]): Histogram {
    const histogram = new Histogram();
    for (const report of reports) for (const [bucket, count] of report) histogram.#add(bucket, count);
    return histogram;
  }

  /** `value` is a whole number, 0 or more. */
  record(value: number): void {
    this.#counts[toBucket(value)]!++;
    this.#total++;
  }

  get total(): number {
    return this.#total;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#total = 0;
  }

  /** The value of this rank, from 1 on, as the upper end of its bucket; 0 where there is none. */
  valueAt(rank: number): number {
    let seen = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= rank && count > 0) return toLowest(bucket + 1) - 1;
    }
    return 0;
  }

  /** How many were above a value for certain: what lies in its bucket does not count. */
  countAbove(value: number): number {
    if (value >= HISTOGRAM_VALUE_MAX) return 0;
    return this.#counts.subarray(toBucket(value) + 1).reduce((sum, count) => sum + count, 0);
  }

  report(): HistogramReport {
    return [...this.#counts.entries()].filter(([, count]) => count > 0);
  }

  #add(bucket: number, count: number): void {
    if (bucket >= BUCKET_COUNT) return;
    this.#counts[bucket]! += count;
    this.#total += count;
  }
}

function toBucket(value: number): number {
  const whole = value > HISTOGRAM_VALUE_MAX ? HISTOGRAM_VALUE_MAX : value;
  if (whole < PER_OCTAVE) return whole;
  const shift = 31 - Math.clz32(whole) - PER_OCTAVE_BITS;
  return (shift + 1) * PER_OCTAVE + ((whole >>> shift) & (PER_OCTAVE - 1));
}

function toLowest(bucket: number): number {
  if (bucket < PER_OCTAVE) return bucket;
  const shift = Math.trunc(bucket / PER_OCTAVE) - 1;
  return (PER_OCTAVE + (bucket % PER_OCTAVE)) * 2 ** shift;
}
