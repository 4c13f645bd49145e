/** A keeper and scripted supervisors: what it keeps for the next one, how often it starts one again, and when it ends. */

import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const keeperProcess = fileURLToPath(new URL('./keeper-process.ts', import.meta.url));

interface Run {
  readonly keeper: ChildProcess;
  readonly directory: string;
  /** What the supervisors have said. */
  said(): readonly Readonly<Record<string, unknown>>[];
  log(): string;
  until(pattern: RegExp): Promise<void>;
  readonly exited: Promise<number | null>;
}

function start(t: TestContext, script: string): Run {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-keeper-'));
  const keeper = spawn(process.execPath, [keeperProcess, directory, script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  let log = '';
  keeper.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  keeper.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
    keeper.emit('logged');
  });
  t.after(() => {
    keeper.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });
  return {
    keeper,
    directory,
    said: () =>
      said
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>),
    log: () => log,
    async until(pattern) {
      while (!pattern.test(log)) await once(keeper, 'logged');
    },
    exited: once(keeper, 'close').then(([code]) => code as number | null),
  };
}

test('the next supervisor finds processes, what they printed and the notebook; it comes at once, then later each time', async (t) => {
  const { said, log, exited, directory } = start(t, 'crashThrice');
  assert.equal(await exited, 7, log());
  const labels = [{ name: 'sleeper' }];
  assert.deepEqual(said(), [
    { restarts: 0, notebook: null, labels: [] },
    { restarts: 1, notebook: { writtenBy: 0 }, labels },
    { restarts: 2, notebook: { writtenBy: 1 }, labels },
    { restarts: 3, notebook: { writtenBy: 2 }, labels },
    { output: 'printed', exit: { code: null, signal: 'SIGTERM' } },
  ]);
  const delays = [...log().matchAll(/a new one starts in (\d+) ms/g)].map(([, delay]) => Number(delay));
  assert.deepEqual(delays, [0, 100, 200]);
  assert.equal(readFileSync(path.join(directory, 'logs/app.log'), 'utf8'), 'printed\n');
  assert.equal(readFileSync(path.join(directory, 'processes.json'), 'utf8'), '[]');
});

test('a first supervisor that can not start ends the keeper with its exit code', async (t) => {
  const { exited, log } = start(t, 'failAtStart');
  assert.equal(await exited, 5);
  assert.equal(log(), '');
});

test('a signal that comes while no supervisor is there is for the next, which is started at once', async (t) => {
  const { keeper, said, exited, until } = start(t, 'stopOnSignal');
  await until(/starts in 100 ms/);
  keeper.kill('SIGTERM');
  assert.equal(await exited, 0);
  assert.deepEqual(said(), [{ signal: 'SIGTERM' }]);
});

test('a keeper that is to stop does so by itself where no supervisor stays', async (t) => {
  const { keeper, exited, until } = start(t, 'alwaysCrash');
  await until(/starts in 200 ms/);
  keeper.kill('SIGTERM');
  assert.equal(await exited, 1);
});
