/** A clock that only a test moves: what waits by `performance.now` and `AbortSignal.timeout` in this process is late when it says so. */

import { EventEmitter, once } from 'node:events';
import type { TestContext } from 'node:test';

export interface StoppedClock {
  pass(ms: number): void;
  /** Resolves when something is to end so late, or later. */
  isAskedFor(ms: number): Promise<void>;
}

/** Goes on at the end of the test. */
export function stopClock(t: TestContext): StoppedClock {
  // Whole milliseconds, so that what passes is exactly what a test says.
  let now = Math.ceil(performance.now());
  const limits: { readonly atMs: number; readonly ms: number; readonly controller: AbortController }[] = [];
  const news = new EventEmitter<{ asked: [] }>();
  t.mock.method(performance, 'now', () => now);
  t.mock.method(AbortSignal, 'timeout', (ms: number) => {
    const controller = new AbortController();
    limits.push({ atMs: now + ms, ms, controller });
    news.emit('asked');
    return controller.signal;
  });
  return {
    pass(ms) {
      now += ms;
      for (const { atMs, controller } of limits)
        if (atMs <= now) controller.abort(new DOMException('It is late', 'TimeoutError'));
    },
    async isAskedFor(ms) {
      while (!limits.some((limit) => limit.ms >= ms)) await once(news, 'asked');
    },
  };
}
