/** What the counter does on the way back, and that it needs nothing from a registry. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { createTestApp, waitForLog } from '../support/app.ts';

test('counter-loop counts on through a rollback, each number once', async (t) => {
  const app = await createTestApp({
    from: 'examples/counter-loop',
    files: {},
    config: { entry: 'main.ts', ready: 'load', probationMs: 200 },
    environment: { PERIOD_MS: '50' },
  });
  t.after(() => app.dispose());
  const supervisor = await app.start();
  await waitForLog(supervisor, app.log, /counted to 3\n/);
  const before = await app.status();
  app.commit({ 'describe.ts': 'export const describe = (count: number): string => `now at ${count}`;\n' });
  assert.equal((await app.midflight('deploy', '--json')).json['result'], 'committed');
  await waitForLog(supervisor, app.log, /now at \d+\n/);
  const { json } = await app.midflight('rollback', '--json');
  assert.deepEqual([json['path'], json['result']], ['swap', 'committed']);
  await waitForLog(supervisor, app.log, /now at \d+\n[\s\S]*(counted to \d+\n[\s\S]*){3}/);
  const lines = [...app.log().matchAll(/(counted to|now at) (\d+)\n/g)];
  assert.deepEqual(
    lines.map(([, , count]) => Number(count)),
    lines.map((_, index) => index + 1),
  );
  assert.deepEqual(
    (await app.status()).workers.map(({ pid }) => pid),
    before.workers.map(({ pid }) => pid),
  );
});

test('counter-loop installs where there is no network', async (t) => {
  const app = await createTestApp({ from: 'examples/counter-loop', files: {}, git: false });
  t.after(() => app.dispose());
  const { status, stderr } = spawnSync('npm', ['ci', '--offline', '--no-audit', '--no-fund'], {
    cwd: app.directory,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
});
