/** One outside command: what it prints arrives whole, and it ends. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCommand } from '../../src/release/command.ts';

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
