/** How long a worker may take to say that it is well. */

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { healthBefore } from '../../src/protocol/manifest.ts';
import type { WorkerRequest } from '../../src/protocol/messages.ts';
import { protocols } from '../../src/protocol/versions.ts';
import { checkHealthOf, withDoor } from '../../src/supervisor/health-check.ts';
import type { RunnableRelease } from '../../src/supervisor/process-host.ts';
import type { Worker } from '../../src/supervisor/worker.ts';

const asked: string[] = [];

/** It answers nothing, as one whose event loop is stuck. */
const stuck = {
  kind: 'node',
  pid: 7,
  protocol: () => protocols.worker,
  request: async ({ type }: WorkerRequest) => {
    asked.push(type);
    return new Promise<never>(() => {});
  },
} as unknown as Worker;

const health = { ...healthBefore, timeoutMs: 1_000 };
const release = { manifest: { settings: { health } } } as unknown as RunnableRelease;

test('a worker that says nothing is ill by a deadline', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const checked = checkHealthOf(stuck, release, 1);
    mock.timers.tick(3 * health.timeoutMs + 5_000);
    await assert.rejects(checked, { code: 'ERR_MIDFLIGHT_HEALTH_FAILED', message: /it said nothing/ });
  } finally {
    mock.timers.reset();
  }
});

test('a worker that does not open a door in time is told to close it when it can', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    asked.length = 0;
    const opened = withDoor(stuck, 1, async () => assert.fail('there is no door'));
    const failed = assert.rejects(opened, { code: 'ERR_MIDFLIGHT_WORKER_SILENT' });
    mock.timers.tick(5_000);
    await new Promise((resolve) => setImmediate(resolve));
    mock.timers.tick(5_000);
    await failed;
    assert.deepEqual(asked, ['openDoor', 'closeDoor']);
  } finally {
    mock.timers.reset();
  }
});
