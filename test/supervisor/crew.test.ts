/** What becomes of a worker that is asked to load a release and does not answer. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from '../../src/supervisor/crew.ts';
import type { Worker } from '../../src/supervisor/worker.ts';
import { toRelease } from './fake-world.ts';

const asked = {
  release: toRelease({ name: 'one', workers: 1, defect: 'none' }),
  generation: 2,
  health: null,
};
/** Its release has 30 s to be evaluated, and 30 s to listen. */
const LIMIT_MS = 70_000;

function createWorker(answer: Promise<unknown>): { readonly worker: Worker; readonly signals: string[] } {
  const signals: string[] = [];
  const worker = {
    kind: 'node',
    request: async () => answer,
    kill: (signal: string) => void signals.push(signal),
  };
  return { worker: worker as unknown as Worker, signals };
}

test('a worker whose code lets nothing else run is ended, after all that it may take', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { worker, signals } = createWorker(new Promise(() => undefined));
  const loading = load(worker, asked);
  t.mock.timers.tick(LIMIT_MS);
  assert.deepEqual(signals, []);
  t.mock.timers.tick(1_000);
  await assert.rejects(loading, {
    code: 'ERR_MIDFLIGHT_WORKER_NOT_READY',
    message: /a loop that does not end/,
  });
  assert.deepEqual(signals, ['SIGKILL']);
});

test('an answer that has come while the supervisor itself was stopped counts', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const { worker, signals } = createWorker(promise);
  const loading = load(worker, asked);
  t.mock.timers.tick(LIMIT_MS);
  resolve('loaded');
  assert.equal(await loading, 'loaded');
  t.mock.timers.tick(LIMIT_MS);
  assert.deepEqual(signals, []);
});
