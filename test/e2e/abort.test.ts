/** Deploys that nobody wants any more, and who follows them. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { callControl } from '../../src/console/control-client.ts';
import type { DeployReport } from '../../src/deploy/deploy-request.ts';
import { toHome } from '../../src/release/home.ts';
import { commandLine, createTestApp, waitForLog, type Files, type TestApp } from '../support/app.ts';
import { hasEnded } from '../support/processes.ts';

const toServer = (greeting: string): Files => ({
  'server.js': `require('node:http').createServer((request, response) => response.end('${greeting}')).listen(process.env.PORT, '127.0.0.1');\n`,
});

interface Typed {
  type(keys: string): void;
  waitFor(pattern: RegExp): Promise<void>;
  readonly exitCode: Promise<unknown>;
}

/** A verb at a terminal of its own, as script(1) gives one. */
function typeAt(t: TestContext, app: TestApp, ...args: string[]): Typed {
  const command = [process.execPath, commandLine, ...args].join(' ');
  const child = spawn(
    'script',
    ['--quiet', '--return', '--flush', '--command', `exec ${command}`, '/dev/null'],
    {
      cwd: app.directory,
    },
  );
  t.after(() => child.kill('SIGKILL'));
  let shown = '';
  child.stdout.on('data', (chunk: Buffer) => {
    shown += chunk.toString();
    child.emit('printed');
  });
  return {
    type: (keys) => void child.stdin.write(keys),
    waitFor: async (pattern) => waitForLog(child, () => shown, pattern),
    exitCode: once(child, 'close').then(([code]) => code as unknown),
  };
}

test('Ctrl-C at a terminal asks once: a deploy is left to itself, and joined again, or its build ends and nothing has changed', async (t) => {
  const app = await createTestApp({
    files: toServer('one'),
    config: { entry: 'server.js', build: 'sh build.sh', probationMs: 0 },
  });
  t.after(() => app.dispose());
  const pidFile = path.join(app.directory, 'build.pid');
  app.commit({ 'build.sh': '' });
  await app.start();
  app.commit({ ...toServer('two'), 'build.sh': `echo $$ > ${pidFile}; exec sleep 600\n` });
  const first = typeAt(t, app, 'deploy');
  await first.waitFor(/build/);
  first.type('\u0003');
  await first.waitFor(/a: abort.*d, Ctrl-C: detach/);
  first.type('\u0003');
  await first.waitFor(/detached: the deploy goes on/);
  assert.equal(await first.exitCode, 130);
  const second = typeAt(t, app, 'deploy', '--watch');
  await second.waitFor(/fetch.*HEAD[^]*build/);
  while (!existsSync(pidFile) || readFileSync(pidFile, 'utf8') === '') await sleep(5);
  second.type('\u0003');
  await second.waitFor(/a: abort/);
  second.type('a');
  await second.waitFor(/ERR_MIDFLIGHT_DEPLOY_ABORTED/);
  assert.equal(await second.exitCode, 3);
  assert.equal(await app.get(), 'one');
  assert.ok(hasEnded(Number(readFileSync(pidFile, 'utf8'))));
  const none = await app.midflight('deploy', '--watch', '--json');
  assert.equal((none.json['error'] as { code: string }).code, 'ERR_MIDFLIGHT_DEPLOY_IDLE');
  assert.equal(none.exitCode, 4);
});

test('a deploy that is aborted while processes start, or in probation, leaves what served before', async (t) => {
  const app = await createTestApp({
    files: toServer('one'),
    config: { entry: 'server.js', probationMs: 600_000, readyTimeoutMs: 600_000 },
  });
  t.after(() => app.dispose());
  await app.start();
  const home = toHome(app.directory);
  const abortAt = async (step: string, body: object): Promise<DeployReport> =>
    (await callControl(home, {
      method: 'POST',
      path: '/deploy',
      body,
      onEvent(event, data) {
        const progress = data as { step: string; run: number };
        if (event === 'progress' && progress.step === step)
          void callControl(home, { method: 'POST', path: '/abort', body: { run: progress.run } });
      },
    })) as DeployReport;
  app.commit({ 'server.js': 'setInterval(() => {}, 1e9);\n' });
  const starting = await abortAt('prepare', { path: 'handoff' });
  assert.deepEqual([starting.result, starting.error?.code], ['rejected', 'ERR_MIDFLIGHT_DEPLOY_ABORTED']);
  app.commit(toServer('three'));
  const inProbation = await abortAt('probation', {});
  assert.deepEqual(
    [inProbation.result, inProbation.error?.code],
    ['rolled-back', 'ERR_MIDFLIGHT_DEPLOY_WITHDRAWN'],
  );
  assert.equal(await app.get(), 'one');
  assert.equal((await app.status()).workers.length, 1);
});
