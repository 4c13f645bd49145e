/** What strict clients have met: every answer and every failure, by kind of client and by version of the code. */

import { EventEmitter, once } from 'node:events';

export interface Failure {
  readonly kind: string;
  readonly reason: string;
  /** ISO 8601, UTC. */
  readonly at: string;
}

export interface LoadReport {
  readonly requests: number;
  readonly failed: number;
  readonly failures: readonly Failure[];
  /** Answers by the version that they name. */
  readonly versions: ReadonlyMap<string, number>;
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly webSockets: { readonly opened: number; readonly lost: number; readonly messages: number };
}

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

export class Tally {
  readonly #events = new EventEmitter<{ version: [string] }>().setMaxListeners(0);
  readonly #failures: Failure[] = [];
  readonly #versions = new Map<string, number>();
  /** By `performance.now()`. */
  readonly #startsMs: number[] = [];
  readonly #latenciesMs: number[] = [];
  #requests = 0;
  readonly webSockets = { opened: 0, lost: 0, messages: 0 };

  /** `startedAt` is null where the time of the answer says nothing. */
  answered(version: string, startedAt: number | null): void {
    this.#requests++;
    if (startedAt !== null) {
      this.#startsMs.push(startedAt);
      this.#latenciesMs.push(performance.now() - startedAt);
    }
    const isNew = !this.#versions.has(version);
    this.#versions.set(version, (this.#versions.get(version) ?? 0) + 1);
    if (isNew) this.#events.emit('version', version);
  }

  failed(kind: string, error: unknown): void {
    this.#requests++;
    const code = (error as NodeJS.ErrnoException).code;
    const message = error instanceof Error ? error.message : String(error);
    const reason = code === undefined || message.includes(code) ? message : `${code} ${message}`;
    this.#failures.push({ kind, reason, at: new Date().toISOString() });
  }

  /** Resolves when some answer has named the version. */
  async waitForVersion(version: string): Promise<void> {
    while (!this.#versions.has(version)) await once(this.#events, 'version');
  }

  /** Of the requests that were under way at any time in one of the windows. */
  latencyWithin(windows: readonly TimeWindow[]): Latency {
    return toLatency(
      this.#latenciesMs.filter((latencyMs, index) => {
        const fromMs = performance.timeOrigin + (this.#startsMs[index] ?? 0);
        return windows.some(([start, end]) => fromMs <= end && fromMs + latencyMs >= start);
      }),
    );
  }

  report(): LoadReport {
    const { p50, p99, max } = toLatency(this.#latenciesMs);
    return {
      requests: this.#requests,
      failed: this.#failures.length,
      failures: [...this.#failures],
      versions: new Map(this.#versions),
      latencyMs: { p50, p99, max },
      webSockets: { ...this.webSockets },
    };
  }
}

export function toLatency(latenciesMs: readonly number[]): Latency {
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const quantile = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  const [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1].map(quantile) as [number, number, number, number];
  return { count: sorted.length, p50, p99, p999, max };
}
