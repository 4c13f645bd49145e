/** The watcher of a tree, in a process that is stopped and goes on. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { stateOf } from '../fault/proc.ts';

const ROUNDS = 100;

const program = (root: string): string => `
import { watchTree } from ${JSON.stringify(new URL('../../src/dev/tree-watch.ts', import.meta.url).href)};
for (const signal of ['SIGUSR2', 'SIGHUP', 'SIGWINCH', 'SIGCHLD']) process.on(signal, () => {});
await watchTree({
  root: ${JSON.stringify(root)},
  onChange: (paths) => console.log(paths.join()),
  onError: (error) => console.log('error: ' + error.message),
});
setInterval(() => {}, 1_000);
console.log('watches');
`;

/** What the watcher of a tree says, in a process of its own. */
async function startWatcher(t: TestContext, root: string) {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program(root)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const said: string[] = [];
  const lines = createInterface(child.stdout).on('line', (line) => said.push(line));
  while (!said.includes('watches')) await once(lines, 'line');
  return { child, said, lines };
}

test('a tree is watched on after its process was stopped and goes on, and got signals', async (t) => {
  const root = mkdtempSync(path.join(realpathSync(tmpdir()), 'midflight-tree-'));
  t.after(() => rmSync(root, { recursive: true }));
  const { child, said } = await startWatcher(t, root);
  // Which thread handles a signal is for the kernel to say; where it is the watcher's, that fails.
  for (let count = 0; count < ROUNDS && !said.some((line) => line.startsWith('error')); count++) {
    child.kill('SIGSTOP');
    while (stateOf(child.pid ?? 0) !== 'T') await sleep(2);
    for (const signal of ['SIGUSR2', 'SIGHUP', 'SIGWINCH', 'SIGCHLD'] as const) child.kill(signal);
    child.kill('SIGCONT');
    await sleep(5);
  }
  t.diagnostic(said.find((line) => line.startsWith('error')) ?? 'it has not failed');
  for (let count = 0; !said.some((line) => line.includes('written')); count++) {
    writeFileSync(path.join(root, 'written'), String(count));
    await sleep(20);
  }
  assert.equal(child.exitCode, null);
});

test('of a new directory whose links lead back to it files are told by one name', async (t) => {
  const base = mkdtempSync(path.join(realpathSync(tmpdir()), 'midflight-tree-'));
  t.after(() => rmSync(base, { recursive: true }));
  const root = path.join(base, 'root');
  mkdirSync(root);
  mkdirSync(path.join(base, 'made/inner'), { recursive: true });
  writeFileSync(path.join(base, 'made/inner/file'), '');
  for (const name of ['one', 'two']) symlinkSync('.', path.join(base, 'made', name));
  const { said, lines } = await startWatcher(t, root);
  renameSync(path.join(base, 'made'), path.join(root, 'made'));
  while (!said.some((line) => line.includes('inner/file'))) await once(lines, 'line');
  const told = said
    .filter((line) => line.includes('file'))
    .join()
    .match(/[^,]*file/g);
  assert.deepEqual([...new Set(told)], ['made/inner/file']);
});
