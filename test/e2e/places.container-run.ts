/** As the first process of a container: the kernel gives it all orphans, and it ends with the exit code of what it runs. */

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerWhenTold, createTestApp, waitForLog, type TestApp } from '../support/app.ts';

/** What gives `midflight start` the orphans. */
export interface Container {
  readonly name: string;
  readonly launcher: readonly string[];
  /** Runs instead of the command line. */
  readonly startFile?: string;
  /** The pid, as it is outside, of what gets the orphans. */
  findInit(started: ChildProcess): number;
}

const REAP_TIMEOUT_MS = 30_000;

/** Each request leaves three orphans. */
const server = `
const { createServer } = require('node:http');
const { spawn } = require('node:child_process');
createServer((request, response) => {
  if (request.url === '/slow') {
    console.log('in flight');
    ${answerWhenTold("'whole'")}
  } else spawn('sh', ['-c', 'for one in 1 2 3; do sleep 60 & done'], { stdio: 'ignore' }).on('exit', () => response.end('left'));
}).listen(process.env.PORT, '127.0.0.1');
`;

export function testContainer(container: Container): void {
  const { name } = container;

  test(`${name} reaps the orphans of the app, and on SIGTERM what is in flight is answered`, async (t) => {
    const { app, started, init } = await startContained(t, container);
    const alone = childrenOf(init);
    assert.equal(alone.length, 1);
    for (let count = 0; count < 3; count++) assert.equal(await app.get(), 'left');
    const orphans = childrenOf(init).filter((pid) => !alone.includes(pid));
    assert.equal(orphans.length, 9);
    for (const pid of orphans) process.kill(pid, 'SIGKILL');
    const deadline = performance.now() + REAP_TIMEOUT_MS;
    while (childrenOf(init).length > 1 && performance.now() < deadline) await sleep(10);
    assert.deepEqual(childrenOf(init), alone);
    const slow = app.get('/slow');
    await waitForLog(started, () => app.log(), /in flight/);
    process.kill(init, 'SIGTERM');
    await app.printed(/stopping: SIGTERM/);
    app.write({ answer: '' });
    assert.equal(await slow, 'whole');
    assert.equal(await exitCodeOf(started), 0);
  });

  test(`${name} ends with the exit code of what it runs, or 128 and the signal`, async (t) => {
    const { started, init } = await startContained(t, container);
    process.kill(childrenOf(init)[0] ?? 0, 'SIGKILL');
    assert.equal(await exitCodeOf(started), 137);
    const failing = await createContained(t, container, {});
    assert.equal(await exitCodeOf(failing.spawnStart()), 2);
  });
}

interface Contained {
  readonly app: TestApp;
  readonly started: ChildProcess;
  readonly init: number;
}

async function startContained(t: TestContext, container: Container): Promise<Contained> {
  const app = await createContained(t, container, {
    'server.js': server,
    'package.json': '{ "main": "server.js" }',
  });
  const started = await app.start();
  return { app, started, init: container.findInit(started) };
}

async function createContained(
  t: TestContext,
  { launcher, startFile }: Container,
  files: Readonly<Record<string, string>>,
): Promise<TestApp> {
  const app = await createTestApp({ files, launcher, ...(startFile === undefined ? {} : { startFile }) });
  t.after(() => app.dispose());
  return app;
}

export function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) => {
    const text = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim();
    return text === '' ? [] : text.split(' ').map(Number);
  });
}

async function exitCodeOf(child: ChildProcess): Promise<unknown> {
  return child.exitCode ?? (await once(child, 'exit'))[0];
}
