/** Notes in the meter of the generation that is current what no request tells: that the event loop lags, and errors that nothing caught. */

import { currentScope, type GenerationScope } from './generation-scope.ts';

const TICK_MS = 50;

/** Watches this process until it ends, and keeps it from nothing. */
export function watchService(current: () => GenerationScope | null): void {
  let expectedAtMs = performance.now() + TICK_MS;
  setInterval(() => {
    const nowMs = performance.now();
    current()?.meter?.noteLag(nowMs - expectedAtMs);
    expectedAtMs = nowMs + TICK_MS;
  }, TICK_MS).unref();
  process.on('uncaughtExceptionMonitor', () => currentScope()?.meter?.noteUncaught());
}
