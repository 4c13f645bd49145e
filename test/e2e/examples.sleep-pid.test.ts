/** What sleep-pid makes of odd requests, and of a SIGHUP that takes another process. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTestApp, waitForLog } from '../support/app.ts';

const config = { probationMs: 200 };

test('sleep-pid lives through a request target that is no path', async (t) => {
  const app = await createTestApp({ from: 'examples/sleep-pid', files: {}, config });
  t.after(() => app.dispose());
  await app.start();
  const { pid } = toPlace(await app.get('//?sleep=0'));
  assert.equal(toPlace(await app.get('/?sleep=0')).pid, pid);
});

test('sleep-pid: SIGHUP with other Node options goes to another process, what was asked before ends in the old one', async (t) => {
  const app = await createTestApp({ from: 'examples/sleep-pid', files: {}, config });
  t.after(() => app.dispose());
  const supervisor = await app.start();
  const before = app.get('/?sleep=2');
  await waitForLog(supervisor, app.log, /asked to sleep 2 s/);
  app.commit({
    'generation.ts': 'export const generation: number = 2;\n',
    'midflight.config.json': JSON.stringify({ ...config, nodeOptions: ['--no-warnings'] }),
  });
  supervisor.kill('SIGHUP');
  await waitForLog(supervisor, app.log, /midflight commit/);
  const after = toPlace(await app.get('/?sleep=0'));
  const old = toPlace(await before);
  assert.deepEqual([old.generation, after.generation], ['1', '2']);
  assert.notEqual(old.pid, after.pid);
});

function toPlace(answer: string): { generation: string | undefined; pid: string | undefined } {
  const [, generation, pid] = /generation (\d+) of process (\d+)/.exec(answer) ?? [];
  assert.ok(pid !== undefined, answer);
  return { generation, pid };
}
