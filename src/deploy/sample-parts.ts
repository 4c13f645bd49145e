/** The parts of a probation, from each look to the next, by themselves. A machine that stalls, and clients that then come all at once,
 *  make one of them slow; a release that is slow makes all of them slow. */

import { emptySample, SAMPLE_KEPT_MS, type ServiceSample } from '../protocol/service-sample.ts';
import type { HistogramReport } from '../protocol/histogram.ts';

export type SamplePart = Pick<ServiceSample, 'latencyUs' | 'lagUs'>;

export class SampleParts {
  #latest: ServiceSample = emptySample;
  #wasHeldUp = false;
  readonly #parts: SamplePart[] = [];

  /** What is known at a look: the parts in which the machine let its processes run. What it held up may end in the next one. */
  add(sample: ServiceSample, isHeldUp: boolean): readonly SamplePart[] {
    if (!isHeldUp && !this.#wasHeldUp) this.#parts.push(partSince(this.#latest, sample));
    this.#wasHeldUp = isHeldUp;
    this.#latest = sample;
    return this.#parts;
  }
}

/** A sample that has forgotten some of the one before is a part of its own. */
function partSince(earlier: ServiceSample, later: ServiceSample): SamplePart {
  if (later.durationMs >= SAMPLE_KEPT_MS) return later;
  return {
    latencyUs: difference(earlier.latencyUs, later.latencyUs),
    lagUs: difference(earlier.lagUs, later.lagUs),
  };
}

function difference(earlier: HistogramReport, later: HistogramReport): HistogramReport {
  const counts = new Map(earlier);
  return later
    .map(([bucket, count]) => [bucket, count - (counts.get(bucket) ?? 0)] as const)
    .filter(([, count]) => count > 0);
}
