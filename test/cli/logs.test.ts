/** `midflight logs` as a process: what it prints where nothing runs, and how it ends. */

import assert from 'node:assert/strict';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { createAppLog } from '../../src/supervisor/app-log.ts';
import { commandLine } from '../support/app.ts';

function makeApp(t: TestContext): { readonly cwd: string; print(lines: string): void } {
  const cwd = mkdtempSync(path.join(tmpdir(), 'midflight-logs-'));
  t.after(() => rmSync(cwd, { recursive: true, force: true }));
  const file = path.join(cwd, '.midflight/logs/app.log');
  const stream = createAppLog({ file, bytesMax: 20, keptMax: 10 }).openStream();
  return { cwd, print: (lines) => stream.write(Buffer.from(lines)) };
}

function run(t: TestContext, cwd: string, ...args: string[]): ChildProcessByStdio<null, Readable, null> {
  const child = spawn(process.execPath, [commandLine, 'logs', ...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

test('without anything that runs, the last lines are printed across files, also as JSON', async (t) => {
  const { cwd, print } = makeApp(t);
  for (const line of ['one', 'two', 'three "3"']) print(`${line} ${'.'.repeat(10)}\n`);
  const child = run(t, cwd, '--lines', '2', '--json');
  const lines = ['two ..........', 'three "3" ..........'];
  assert.equal(await text(child.stdout), lines.map((line) => `${JSON.stringify({ line })}\n`).join(''));
});

test('following ends with 0 by Ctrl-C, and by a reader that has gone', async (t) => {
  const { cwd, print } = makeApp(t);
  print('before\n');
  const [interrupted, unread] = [run(t, cwd, '--follow'), run(t, cwd, '--follow')];
  await Promise.all([interrupted, unread].map(async ({ stdout }) => once(stdout, 'data')));
  print('after, in another file\n');
  const [after] = (await once(interrupted.stdout, 'data')) as [Buffer];
  assert.equal(after.toString(), 'after, in another file\n');
  interrupted.kill('SIGINT');
  unread.stdout.destroy();
  const printing = setInterval(() => print('more\n'), 100);
  const ends = await Promise.all([interrupted, unread].map(async (child) => once(child, 'exit')));
  clearInterval(printing);
  assert.deepEqual(ends, [
    [0, null],
    [0, null],
  ]);
});
