/** A build of `midflight plan`, and what else happens in the app's directory meanwhile. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, watch } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { commandLine, createTestApp, type TestApp } from '../support/app.ts';

const config = { entry: 'server.mjs', probationMs: 0 };
const server = (version: string): string => `import http from 'node:http';
http.createServer((_, response) => response.end('${version}')).listen(Number(process.env.PORT), '127.0.0.1');
`;
/** Says its pid, and ends when it is told. It runs in the staging folder's tree. */
const build =
  'echo $$ > ../../../../pid; mv ../../../../pid ../../../../building; until test -e ../../../../go; do sleep 0.05; done';

function toCommand(app: TestApp): {
  ended: Promise<{ exitCode: number | null; stdout: string }>;
  kill(): void;
} {
  const child = spawn(process.execPath, [commandLine, 'plan', '--json'], {
    cwd: app.directory,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = Promise.all([once(child, 'close') as Promise<[number | null]>, text(child.stdout)]);
  return {
    ended: ended.then(([[exitCode], stdout]) => ({ exitCode, stdout })),
    kill: () => void child.kill('SIGINT'),
  };
}

async function waitForFile(app: TestApp, name: string): Promise<void> {
  const found = Promise.withResolvers<void>();
  const watcher = watch(app.directory, () => existsSync(path.join(app.directory, name)) && found.resolve());
  if (existsSync(path.join(app.directory, name))) found.resolve();
  await found.promise;
  watcher.close();
}

const leftovers = (app: TestApp): readonly string[] =>
  readdirSync(path.join(app.directory, '.midflight/releases')).filter((name) => name.startsWith('.'));

test('a start, a deploy and a sweep take nothing away from a plan that is being built', async (t) => {
  const app = await createTestApp({ files: { 'server.mjs': server('v1') }, config });
  t.after(() => app.dispose());
  await app.start();
  await app.end();
  app.commit({ 'server.mjs': server('v2'), 'midflight.config.json': JSON.stringify({ ...config, build }) });
  const plan = toCommand(app);
  await waitForFile(app, 'building');
  await app.start();
  assert.equal(await app.get(), 'v1');
  assert.equal(leftovers(app).length, 1);
  const gc = await app.midflight('gc', '--json');
  assert.match(String(gc.json['deferred']), /another process builds/);
  app.commit({ 'midflight.config.json': JSON.stringify(config) });
  const deploy = await app.midflight('deploy', '--json');
  assert.equal(deploy.json['result'], 'committed', deploy.stderr);
  app.write({ go: '' });
  const { exitCode, stdout } = await plan.ended;
  assert.equal(exitCode, 0, stdout);
  assert.equal((await app.midflight('gc', '--json')).json['deferred'], null);
  assert.deepEqual(leftovers(app), []);
});

test('Ctrl-C ends a plan with all that it has started, and nothing of it is left', async (t) => {
  const app = await createTestApp({
    files: { 'server.mjs': server('v1') },
    config: { ...config, build },
  });
  t.after(() => app.dispose());
  const plan = toCommand(app);
  await waitForFile(app, 'building');
  const pid = Number(readFileSync(path.join(app.directory, 'building'), 'utf8'));
  plan.kill();
  const { exitCode, stdout } = await plan.ended;
  assert.equal(exitCode, 1);
  assert.match(stdout, /ERR_MIDFLIGHT_BUILD_ABORTED/);
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  assert.deepEqual(readdirSync(path.join(app.directory, '.midflight/releases')), []);
});
