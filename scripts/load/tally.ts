/** What strict clients have met: every answer and every failure, by kind of client and by version of the code. */

import { EventEmitter, once } from 'node:events';
import { Latencies } from './latencies.ts';

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

export class Tally {
  readonly #events = new EventEmitter<{ version: [string] }>().setMaxListeners(0);
  readonly #failures: Failure[] = [];
  readonly #versions = new Map<string, number>();
  readonly latencies = new Latencies();
  #requests = 0;
  readonly webSockets = { opened: 0, lost: 0, messages: 0 };

  /** `startedAt` is null where the time of the answer says nothing. */
  answered(version: string, startedAt: number | null): void {
    this.#requests++;
    if (startedAt !== null) this.latencies.add(startedAt);
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

  report(): LoadReport {
    const { p50, p99, max } = this.latencies.all();
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
