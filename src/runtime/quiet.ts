/** Waits for the end of the requests of one generation. */

import type { GenerationScope } from './generation-scope.ts';

/** How often the wait looks; only generations that are on their way out are waited for. */
const CHECK_INTERVAL_MS = 20;

/** Resolves true when no request is in flight, false at the deadline. Keeps no process alive. */
export async function whenQuiet(scope: GenerationScope, timeoutMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + timeoutMs;
  while (scope.inFlightCount > 0 && performance.now() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, CHECK_INTERVAL_MS).unref());
  }
  return scope.inFlightCount === 0;
}
