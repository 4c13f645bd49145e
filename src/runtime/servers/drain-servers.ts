/** The lame duck: every connection ends by itself, told so in its next response, and none is cut. */

import type { AdoptedServer } from './adopted-server.ts';

/** What is going on in a worker. */
export interface WorkCounts {
  /** Requests that are being answered. */
  readonly inFlightCount: number;
  /** Open HTTP connections, busy and idle. */
  readonly openCount: number;
  /** Upgraded sockets, and connections of plain net servers. */
  readonly upgradedCount: number;
}

export interface DrainReport extends WorkCounts {
  readonly timedOut: boolean;
}

/** What one generation still has. */
export interface QuietReport {
  readonly timedOut: boolean;
  readonly inFlightCount: number;
  readonly upgradedCount: number;
}

export interface DrainOptions {
  readonly timeoutMs: number;
  /** Ends the wait early; the report then says timedOut if anything was left. */
  readonly signal?: AbortSignal | undefined;
}

/** How often the wait looks: connections end for many reasons, and asking costs microseconds. */
const CHECK_INTERVAL_MS = 20;

/** Tells all connections to end, and waits until they have or the time is over. */
export async function drainServers(
  servers: Iterable<AdoptedServer>,
  counts: () => WorkCounts,
  options: DrainOptions,
): Promise<DrainReport> {
  for (const server of servers) server.lame();
  await waitUntil(() => isQuiet(counts()), options);
  const left = counts();
  return { timedOut: !isQuiet(left), ...left };
}

/** Waits until something holds, the time is over or the signal says to stop. */
export async function waitUntil(
  holds: () => boolean,
  { timeoutMs, signal, checkIntervalMs = CHECK_INTERVAL_MS }: DrainOptions & { checkIntervalMs?: number },
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!holds() && !signal?.aborted) {
    const leftMs = deadlineMs - performance.now();
    if (leftMs <= 0) return;
    await new Promise((resolve) => setTimeout(resolve, Math.min(checkIntervalMs, leftMs)));
  }
}

function isQuiet({ inFlightCount, openCount, upgradedCount }: WorkCounts): boolean {
  return inFlightCount + openCount + upgradedCount === 0;
}
