import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { createLeaving } from '../../src/supervisor/leaving.ts';
import { abortAll, type Member } from '../../src/supervisor/crew.ts';
import type { NodeWorker } from '../../src/supervisor/node-worker.ts';
import { ask } from '../../src/supervisor/worker.ts';
import type { WorkerRequest } from '../../src/protocol/messages.ts';

/** Runs, and answers nothing. */
function createStuckWorker(): {
  readonly worker: NodeWorker;
  readonly ended: number[];
  readonly killed: NodeJS.Signals[];
} {
  const ended: number[] = [];
  const killed: NodeJS.Signals[] = [];
  const worker: NodeWorker = {
    kind: 'node',
    id: 1,
    pid: 4711,
    exited: new Promise(() => undefined),
    hasExited: () => false,
    isConnected: () => true,
    output: async () => '',
    kill: (signal) => void killed.push(signal),
    async end(timeoutMs) {
      ended.push(timeoutMs);
      return { code: null, signal: 'SIGKILL' };
    },
    send() {},
    protocol: () => ({ min: 1, max: 1 }),
    request: async () => new Promise(() => undefined),
  };
  return { worker, ended, killed };
}

function toMember(worker: NodeWorker): Member {
  return { root: '', worker, state: 'serving', startedAtMs: 0, startedAs: 1, crew: null };
}

async function passTime(t: TestContext, ms: number): Promise<void> {
  t.mock.timers.tick(ms);
  await turn();
}

const requests: readonly [WorkerRequest, number][] = [
  [{ type: 'status' }, 10_000],
  [{ type: 'abort', generation: 2 }, 30_000],
  [{ type: 'health', health: { path: '/up', timeoutMs: 5_000 } }, 25_000],
  [{ type: 'drain', timeoutMs: 60_000, idle: 'await', upgraded: { policy: 'keep', spreadMs: 0 } }, 90_000],
];

for (const [request, limitMs] of requests)
  test(`a worker that does not answer "${request.type}" is given up after ${limitMs} ms, with its pid`, async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const asked = ask(createStuckWorker().worker, request).then(
      () => 'answered',
      (error: unknown) => (error as Error).message,
    );
    let outcome: string | null = null;
    void asked.then((text) => (outcome = text));
    await passTime(t, limitMs - 1);
    assert.equal(outcome, null);
    await passTime(t, 1);
    assert.match(
      String(outcome),
      new RegExp(`Worker 4711 has not answered "${request.type}" in ${limitMs} ms`),
    );
  });

test('a worker that is stuck is ended soon after its time to drain', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const log: string[] = [];
  const leaving = createLeaving({ date: () => 0, log: (line) => log.push(line), onChange() {} });
  const { worker, ended } = createStuckWorker();
  const left = leaving.endQuickly(toMember(worker), 1_000);
  await passTime(t, 5_999);
  assert.deepEqual(ended, []);
  await passTime(t, 1);
  await left;
  assert.deepEqual(ended, [5_000]);
  assert.match(log.join('\n'), /worker 4711 could not be drained: .* has not answered "drain" in 6000 ms/);
  assert.equal(leaving.members.size, 0);
});

test('a worker that does not let go of what it was to prepare is killed', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { worker, killed } = createStuckWorker();
  const aborted = abortAll([toMember(worker)], { generation: 2 });
  await passTime(t, 30_000);
  await aborted;
  assert.deepEqual(killed, ['SIGKILL']);
});
