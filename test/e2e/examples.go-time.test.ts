/** The build of go-time as its own configuration has it, and how the program ends. */

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { test } from 'node:test';
import { createTestApp, readRepositoryFile } from '../support/app.ts';

const config = JSON.parse(readRepositoryFile('examples/go-time/midflight.config.json')) as object;

test('go-time builds without network, and the same source again is the same release', async (t) => {
  const app = await createTestApp({
    from: 'examples/go-time',
    files: {},
    config: (port: number) => ({ ...config, listen: [`127.0.0.1:${port}`], probationMs: 200 }),
    environment: { GOPROXY: 'off' },
  });
  t.after(() => app.dispose());
  await app.start();
  const before = await app.get();
  assert.match(before, /^\d{4}-\d\d-\d\dT.*process \d+/);
  app.commit({});
  const { json, exitCode } = await app.midflight('deploy', '--json');
  assert.deepEqual([json['path'], json['result'], exitCode], ['none', 'unchanged', 0]);
  assert.equal(toPid(await app.get()), toPid(before));
});

test('go-time ends with 0 at SIGTERM', async (t) => {
  const app = await createTestApp({ from: 'examples/go-time', files: {} });
  t.after(() => app.dispose());
  execFileSync('go', ['build', '-o', 'go-time', '.'], { cwd: app.directory });
  const child = spawn(path.join(app.directory, 'go-time'), {
    env: { ...process.env, PORT: String(app.port) },
    stdio: 'inherit',
  });
  t.after(() => child.kill('SIGKILL'));
  let answer: string | null = null;
  while (answer === null && child.exitCode === null) answer = await app.get().catch(() => null);
  assert.match(answer ?? '', /process \d+/);
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});

function toPid(answer: string): string | undefined {
  return /process (\d+)/.exec(answer)?.[1];
}
