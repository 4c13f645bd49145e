/** How a generation serves, in figures: what workers gather, and what a release is compared by with the one before. */

import { Histogram, type HistogramReport } from './histogram.ts';

/** A sample has all that came in this time, or since its generation began, and forgets what is older by and by. */
export const SAMPLE_KEPT_MS = 55_000;

export interface ServiceSample {
  /** How long it took to gather. */
  readonly durationMs: number;
  /** Requests that have ended. */
  readonly answerCount: number;
  /** Of these, the ones that were answered by 500 or above, or that the server broke off. */
  readonly errorCount: number;
  /** From a request's headers to the end of its answer, in microseconds, but for the first answers of a process. */
  readonly latencyUs: HistogramReport;
  /** By how much a timer came late, in microseconds. */
  readonly lagUs: HistogramReport;
  /** Errors that nothing caught, and that did not end the process. */
  readonly uncaughtCount: number;
  /** Resident memory of the worker that has most. */
  readonly rssBytes: number;
}

export const emptySample: ServiceSample = {
  durationMs: 0,
  answerCount: 0,
  errorCount: 0,
  latencyUs: [],
  lagUs: [],
  uncaughtCount: 0,
  rssBytes: 0,
};

/** What several workers have seen at the same time. */
export function mergeSamples(samples: readonly ServiceSample[]): ServiceSample {
  const sum = (of: (sample: ServiceSample) => number): number =>
    samples.reduce((total, sample) => total + of(sample), 0);
  const most = (of: (sample: ServiceSample) => number): number => Math.max(0, ...samples.map(of));
  return {
    durationMs: most(({ durationMs }) => durationMs),
    answerCount: sum(({ answerCount }) => answerCount),
    errorCount: sum(({ errorCount }) => errorCount),
    latencyUs: Histogram.of(...samples.map(({ latencyUs }) => latencyUs)).report(),
    lagUs: Histogram.of(...samples.map(({ lagUs }) => lagUs)).report(),
    uncaughtCount: sum(({ uncaughtCount }) => uncaughtCount),
    rssBytes: most(({ rssBytes }) => rssBytes),
  };
}
