/** In the foreground at a terminal, with the keys that are pressed there. */

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerWhenTold, createTestApp, waitForLog, type TestApp } from '../support/app.ts';

const CTRL_C = '\u0003';
const CTRL_Z = '\u001A';

/** Says when a request is in flight, and when a signal comes that is not for it. */
const server = `
process.on('SIGINT', () => console.log('the worker got SIGINT'));
require('node:http').createServer((request, response) => {
  if (request.url === '/') return response.end('quick');
  console.log('in flight');
  ${answerWhenTold("'whole'")}
}).listen(process.env.PORT, '127.0.0.1');
`;

interface Seated {
  readonly app: TestApp;
  /** script(1), which is the terminal. */
  readonly terminal: ChildProcess;
  readonly exited: Promise<unknown[]>;
  press(key: string): void;
  waitFor(pattern: RegExp): Promise<void>;
}

async function startAtTerminal(t: TestContext): Promise<Seated> {
  const app = await createTestApp({
    files: { 'server.js': server },
    config: { entry: 'server.js', drainTimeoutMs: 600_000 },
    launcher: ['sh', '-c', 'exec script --quiet --return --command "exec $*" /dev/null', 'sh'],
  });
  t.after(() => app.dispose());
  const terminal = await app.start();
  // A key that comes when all has ended is nobody's.
  terminal.stdin?.on('error', () => null);
  return {
    app,
    terminal,
    exited: once(terminal, 'exit'),
    press: (key) => void terminal.stdin?.write(key),
    waitFor: async (pattern) => waitForLog(terminal, () => app.log(), pattern),
  };
}

test('Ctrl-C once answers what is in flight, and says that a second one cuts; the workers do not see it', async (t) => {
  const { app, exited, press, waitFor } = await startAtTerminal(t);
  const slow = app.get('/slow');
  await waitFor(/in flight/);
  press(CTRL_C);
  await waitFor(/stopping: Ctrl-C; once more, and what is in flight is cut/);
  app.write({ answer: '' });
  assert.equal(await slow, 'whole');
  assert.deepEqual(await exited, [0, null]);
  assert.doesNotMatch(app.log(), /the worker got/);
});

test('Ctrl-C twice cuts at once, and ends with 130', async (t) => {
  const { app, exited, press, waitFor } = await startAtTerminal(t);
  const slow = assert.rejects(app.get('/slow'), { code: 'ECONNRESET' });
  await waitFor(/in flight/);
  press(CTRL_C);
  await waitFor(/stopping/);
  press(CTRL_C);
  await slow;
  assert.deepEqual(await exited, [130, null]);
});

test('Ctrl-C twice ends all of it also where the supervisor hangs', async (t) => {
  const { app, exited, press } = await startAtTerminal(t);
  const { supervisor, workers } = await app.status();
  process.kill(supervisor.pid, 'SIGSTOP');
  // Two that come together are one, and nobody says that the first has come.
  const pressing = setInterval(() => press(CTRL_C), 50);
  assert.deepEqual(await exited, [130, null]);
  clearInterval(pressing);
  for (const { pid } of [supervisor, ...workers])
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
});

test('a terminal that is closed stops it: what is in flight is answered first', async (t) => {
  const { app, terminal, waitFor } = await startAtTerminal(t);
  await waitFor(/serving .*; pid \d+\r?\n/);
  const [, pid = ''] = /serving .*; pid (\d+)/.exec(app.log()) ?? [];
  const slow = app.get('/slow');
  await waitFor(/in flight/);
  terminal.kill('SIGKILL');
  while (!(await app.status()).isStopping) await sleep(20);
  app.write({ answer: '' });
  assert.equal(await slow, 'whole');
  // Nobody can wait for a process of another's, and its output went with the terminal.
  while (existsSync(`/proc/${pid}`)) await sleep(20);
});

test('Ctrl-Z stops the command and not the app; fg goes on', async (t) => {
  const shell = 'bash --norc --noprofile -i';
  const app = await createTestApp({
    files: { 'server.js': server },
    config: { entry: 'server.js' },
    launcher: ['sh', '-c', `START="$*" exec script --quiet --return --command "${shell}" /dev/null`, 'sh'],
  });
  t.after(() => app.dispose());
  const terminal = app.spawnStart();
  const exited = once(terminal, 'exit');
  const press = (keys: string): void => void terminal.stdin?.write(keys);
  const waitFor = async (pattern: RegExp): Promise<void> => waitForLog(terminal, () => app.log(), pattern);
  press('$START\n');
  await waitFor(/midflight serving/);
  press(CTRL_Z);
  await waitFor(/Stopped/);
  assert.equal(await app.get(), 'quick');
  press('fg\n');
  assert.equal((await app.status()).workers.length, 1);
  press(CTRL_C);
  await waitFor(/stopping: Ctrl-C/);
  press('exit $?\n');
  assert.deepEqual(await exited, [0, null]);
});
