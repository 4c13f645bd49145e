/** Commands of a build: their output is kept, and nothing that they started outlives them. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { createBuildCommands, type BuildCommand } from '../../src/release/build-commands.ts';

interface Place {
  readonly logs: string;
  shell(command: string, timeoutMs?: number): BuildCommand;
}

function createPlace(t: TestContext): Place {
  const cwd = mkdtempSync(path.join(tmpdir(), 'midflight-build-'));
  t.after(() => rmSync(cwd, { recursive: true, force: true }));
  return {
    logs: path.join(cwd, 'logs'),
    shell: (command, timeoutMs = 60_000) => ({
      command,
      args: [],
      shell: true,
      cwd,
      timeoutMs,
      environment: {},
    }),
  };
}

/** Prints the pid of a child that would run for long, and waits for it. */
const withChild = 'sleep 600 & echo $!; wait';

/** Resolves when the process is gone, or only its parent has not asked yet how it ended. */
async function ended(pid: string): Promise<void> {
  const state = (): string => {
    try {
      return execFileSync('ps', ['-o', 'stat=', '-p', pid], { encoding: 'utf8' });
    } catch {
      return '';
    }
  };
  while (!/^(?:Z|$)/.test(state())) await new Promise((resolve) => setImmediate(resolve));
}

test('a command that fails is told by its last lines, and the whole is in a log without passwords', async (t) => {
  const { logs, shell } = createPlace(t);
  const commands = createBuildCommands({ logs });
  assert.equal((await commands.run('install', shell('echo installed'))).problem, null);
  const { problem } = await commands.run(
    'build',
    shell('seq 1 1000; echo https://me:canary@host/x >&2; exit 1'),
  );
  assert.match(problem ?? '', /^9\d\d\n.*\n1000\nhttps:\/\/\*\*\*@host\/x\nThe whole output is in .*\.log$/s);
  const [name = ''] = readdirSync(logs);
  const text = readFileSync(path.join(logs, name), 'utf8');
  assert.ok((problem ?? '').endsWith(path.join('.midflight/logs', name)));
  assert.match(text, /^\$ echo installed\ninstalled\n\$ seq .*\n1\n2\n.*1000\nhttps:\/\/\*\*\*@host\/x\n$/s);
});

test('a command that takes too long is ended with all that it has started', async (t) => {
  const { logs, shell } = createPlace(t);
  const { problem } = await createBuildCommands({ logs }).run('build', shell(withChild, 300));
  const [, pid = ''] = /^no end after 300 ms\n(\d+)\n/.exec(problem ?? '') ?? [];
  await ended(pid);
});

test('a build that is given up ends what it has started', async (t) => {
  const { logs, shell } = createPlace(t);
  const giveUp = new AbortController();
  const commands = createBuildCommands({ logs, signal: giveUp.signal });
  const running = commands.run('build', shell(withChild));
  let pid = '';
  while (pid === '') {
    await new Promise((resolve) => setImmediate(resolve));
    const name = readdirSync(path.dirname(logs)).includes('logs') ? readdirSync(logs)[0] : undefined;
    pid = /^\d+$/m.exec(name === undefined ? '' : readFileSync(path.join(logs, name), 'utf8'))?.[0] ?? '';
  }
  giveUp.abort();
  await assert.rejects(running, { code: 'ERR_MIDFLIGHT_BUILD_ABORTED' });
  await ended(pid);
  await assert.rejects(commands.run('build', shell('true')), { code: 'ERR_MIDFLIGHT_BUILD_ABORTED' });
});
