/** What becomes of a worker that is asked to load a release and does not answer. */

import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import type { WorkerRequest } from '../../src/protocol/messages.ts';
import { load } from '../../src/supervisor/crew.ts';
import type { Worker } from '../../src/supervisor/worker.ts';
import { toRelease } from './fake-world.ts';

const asked = {
  release: toRelease({ name: 'one', workers: 1, defect: 'none' }),
  generation: 2,
  health: null,
};
/** 30 s to be evaluated, 30 s to listen, and 30 s besides. */
const LIMIT_MS = 90_000;

function createWorker(answers: readonly string[]): { readonly worker: Worker; readonly signals: string[] } {
  const signals: string[] = [];
  const worker = {
    kind: 'node',
    pid: 7,
    request: async ({ type }: WorkerRequest) => (answers.includes(type) ? {} : new Promise(() => undefined)),
    kill: (signal: string) => void signals.push(signal),
  };
  return { worker: worker as unknown as Worker, signals };
}

async function loadFor(t: TestContext, worker: Worker): Promise<void> {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const loading = assert.rejects(load(worker, asked), {
    code: 'ERR_MIDFLIGHT_WORKER_NOT_READY',
    message: /a loop that does not end/,
  });
  t.mock.timers.tick(LIMIT_MS);
  await turn();
  t.mock.timers.tick(1_000);
  await loading;
}

test('a worker whose code lets nothing else run is ended, after all that it may take', async (t) => {
  const { worker, signals } = createWorker([]);
  await loadFor(t, worker);
  assert.deepEqual(signals, ['SIGKILL']);
});

test('a worker that answers after the supervisor itself was stopped is let live', async (t) => {
  const { worker, signals } = createWorker(['status']);
  await loadFor(t, worker);
  assert.deepEqual(signals, []);
});
