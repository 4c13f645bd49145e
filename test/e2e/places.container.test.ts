/** As the first process of a container: a PID namespace of its own, in which the kernel gives it all orphans. */

import assert from 'node:assert/strict';
import { spawnSync, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerWhenTold, createTestApp, waitForLog, type TestApp } from '../support/app.ts';

const namespace = ['unshare', '--fork', '--kill-child', '--pid', '--mount-proc'];
const isAllowed = spawnSync('unshare', [...namespace.slice(1), 'true']).status === 0;
const skip = isAllowed ? false : 'a PID namespace may not be made here: run the tests as root';
const REAP_TIMEOUT_MS = 10_000;

/** Each request leaves three orphans that end soon. */
const server = `
const { createServer } = require('node:http');
const { spawn } = require('node:child_process');
createServer((request, response) => {
  if (request.url === '/slow') {
    console.log('in flight');
    ${answerWhenTold("'whole'")}
  } else spawn('sh', ['-c', 'for one in 1 2 3; do sleep 0.05 & done'], { stdio: 'ignore' }).on('exit', () => response.end('left'));
}).listen(process.env.PORT, '127.0.0.1');
`;

interface Contained {
  readonly app: TestApp;
  readonly unshare: ChildProcess;
  /** PID 1 of the namespace, by its pid outside. */
  readonly init: number;
}

async function startContained(t: TestContext): Promise<Contained> {
  const app = await createTestApp({
    files: { 'server.js': server },
    config: { entry: 'server.js' },
    launcher: namespace,
  });
  t.after(() => app.dispose());
  const unshare = await app.start();
  const [init = 0] = childrenOf(unshare.pid ?? 0);
  assert.match(readFileSync(`/proc/${init}/status`, 'utf8'), /^NSpid:\s+\d+\s+1$/m);
  return { app, unshare, init };
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) => {
    const text = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim();
    return text === '' ? [] : text.split(' ').map(Number);
  });
}

async function exitCodeOf(child: ChildProcess): Promise<unknown> {
  return child.exitCode ?? (await once(child, 'exit'))[0];
}

test(
  'PID 1 reaps the orphans of the app, and on SIGTERM what is in flight is answered',
  { skip },
  async (t) => {
    const { app, unshare, init } = await startContained(t);
    const alone = childrenOf(init);
    assert.equal(alone.length, 1);
    for (let count = 0; count < 3; count++) assert.equal(await app.get(), 'left');
    assert.ok(childrenOf(init).length > 1, 'the orphans are its children');
    const deadline = performance.now() + REAP_TIMEOUT_MS;
    while (childrenOf(init).length > 1 && performance.now() < deadline) await sleep(10);
    assert.deepEqual(childrenOf(init), alone);
    const slow = app.get('/slow');
    await waitForLog(unshare, () => app.log(), /in flight/);
    process.kill(init, 'SIGTERM');
    await app.printed(/stopping: SIGTERM/);
    app.write({ answer: '' });
    assert.equal(await slow, 'whole');
    assert.equal(await exitCodeOf(unshare), 0);
  },
);

test('PID 1 ends with the exit code of what it runs, or 128 and the signal', { skip }, async (t) => {
  const { unshare, init } = await startContained(t);
  process.kill(childrenOf(init)[0] ?? 0, 'SIGKILL');
  assert.equal(await exitCodeOf(unshare), 137);
  const failing = await createTestApp({ files: {}, launcher: namespace });
  t.after(() => failing.dispose());
  assert.equal(await exitCodeOf(failing.spawnStart()), 2);
});

test('few descriptors are warned of', async (t) => {
  const launcher = ['sh', '-c', 'ulimit -n 512; exec "$@"', 'sh'];
  const app = await createTestApp({ files: {}, launcher });
  t.after(() => app.dispose());
  await waitForLog(app.spawnStart(), () => app.log(), /no process may have more than 512 open files/);
});
