/** How a probation ends, by what its health checks say. */

import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createJudge, type Verdict } from '../../src/deploy/probation.ts';
import type { Workers } from '../../src/supervisor/workers.ts';

interface Watched {
  readonly verdict: Promise<Verdict>;
  /** Its time is over. */
  readonly timeOver: Promise<void>;
}

/** `check` is asked with the number of the check, from 1 on. */
function watch(check: (count: number) => Promise<void>, failures: number): Watched {
  const timeOver = Promise.withResolvers<void>();
  let count = 0;
  const workers = { events: new EventEmitter(), checkHealth: async () => check(++count) };
  const verdict = createJudge(workers as unknown as Workers).watch({
    generation: 1,
    probationMs: 40,
    health: { intervalMs: 10, failures },
    look: async (isLast) => {
      if (isLast) timeOver.resolve();
      return null;
    },
    intervention: new AbortController().signal,
  });
  return { verdict, timeOver: timeOver.promise };
}

async function beIll(): Promise<void> {
  throw new Error('ill');
}

test('a probation does not end while a health check is unanswered, and fails where it does', async () => {
  const answered = Promise.withResolvers<void>();
  let isOver = false;
  const { verdict, timeOver } = watch(async () => answered.promise, 1);
  void verdict.finally(() => (isOver = true));
  await timeOver;
  await nextTurn();
  assert.equal(isOver, false);
  answered.reject(new Error('it said nothing'));
  assert.match(String(await verdict), /it said nothing/);
});

test('who is ill at the end of its probation is asked until it is well, or has been ill too often', async () => {
  let seen = 0;
  const recovers = watch(async (count) => {
    seen = count;
    if (count < 20) await beIll();
  }, 20);
  assert.equal(await recovers.verdict, 'passed');
  assert.equal(seen, 20);
  assert.match(String(await watch(beIll, 20).verdict), /ill/);
});

test('a service that is well passes', async () => {
  assert.equal(await watch(async () => undefined, 1).verdict, 'passed');
});
