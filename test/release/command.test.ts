/** One outside command: what it prints arrives whole, and it ends. */

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCommand } from '../../src/release/command.ts';
import { untilEnded } from '../support/processes.ts';

const cwd = import.meta.dirname;

async function runScript(script: string, options = {}): ReturnType<typeof runCommand> {
  return runCommand(process.execPath, ['-e', script], { cwd, timeoutMs: 60_000, ...options });
}

test('letters of several bytes come whole wherever a chunk ends', async () => {
  const script = 'process.stdout.write("-" + "é".repeat(200_000)); process.stderr.write("é".repeat(10))';
  let told = '';
  const onOutput = (text: string): void => void (told += text);
  const { stdout } = await runScript(script, { keepsStdout: true, onOutput });
  assert.equal(stdout, `-${'é'.repeat(200_000)}`);
  assert.equal(told.replaceAll('-', ''), 'é'.repeat(200_010));
});

test('of a command that nobody asks for an answer no more than the end of its output is kept', async () => {
  const { stdout, output } = await runScript('process.stdout.write("a".repeat(1e6) + "b")');
  assert.equal(stdout, '');
  assert.match(output, /^a{65535}b$/);
});

test('a command that is to end has ended also where a daemon that it has started holds its output', async () => {
  const daemon = 'setInterval(() => {}, 1e6)';
  const script = `
    const options = { detached: true, stdio: ['ignore', 1, 2] };
    const { pid } = require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(daemon)}], options);
    console.log(pid);
    setInterval(() => {}, 1e6);`;
  let pid = 0;
  const aborting = new AbortController();
  const onOutput = (text: string): void => {
    pid = Number(text);
    aborting.abort();
  };
  try {
    const running = runScript(script, { onOutput, signal: aborting.signal });
    await assert.rejects(running, { code: 'ERR_MIDFLIGHT_BUILD_ABORTED' });
    assert.ok(process.kill(pid, 0));
  } finally {
    if (pid > 0) process.kill(pid, 'SIGKILL');
  }
});

test('a command that ignores being told to end is killed with all of its group', async (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-command-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const child = 'trap "" TERM; echo $$ > begun; mv begun child; for each in 1 2 3 4 5 6; do sleep 100; done';
  const script = `trap '' TERM; sh -c '${child}' & wait; sleep 600`;
  const abort = new AbortController();
  const ran = runCommand(script, [], {
    cwd: directory,
    timeoutMs: 600_000,
    shell: true,
    signal: abort.signal,
  });
  const file = path.join(directory, 'child');
  while (!existsSync(file)) await sleep(10);
  abort.abort();
  await assert.rejects(ran, { code: 'ERR_MIDFLIGHT_BUILD_ABORTED' });
  await untilEnded(Number(readFileSync(file, 'utf8')));
});
