/** How long requests took, and when: so that it can be asked for a span of time. */

/** Times of requests, in ms. */
export interface Latency {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** From and to, in ms since 1970, so that another process can name them. */
export type TimeWindow = readonly [fromMs: number, toMs: number];

export class Latencies {
  /** By `performance.now()`. */
  readonly #starts: number[] = [];
  readonly #tookMs: number[] = [];

  /** What has just been answered. */
  add(startedAt: number): void {
    this.#starts.push(startedAt);
    this.#tookMs.push(performance.now() - startedAt);
  }

  all(): Latency {
    return toLatency(this.#tookMs);
  }

  /** Of the requests that were under way at any time in one of the windows. */
  within(windows: readonly TimeWindow[]): Latency {
    return toLatency(
      this.#tookMs.filter((tookMs, index) => {
        const startMs = performance.timeOrigin + (this.#starts[index] ?? 0);
        return windows.some(([fromMs, toMs]) => startMs <= toMs && startMs + tookMs >= fromMs);
      }),
    );
  }

  /** The same, for windows by name. */
  byWindow(windows: Readonly<Record<string, readonly TimeWindow[]>>): Record<string, Latency> {
    return Object.fromEntries(Object.entries(windows).map(([name, spans]) => [name, this.within(spans)]));
  }
}

function toLatency(tookMs: readonly number[]): Latency {
  const sorted = tookMs.toSorted((a, b) => a - b);
  const quantile = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  const [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1].map(quantile) as [number, number, number, number];
  return { count: sorted.length, p50, p99, p999, max };
}
