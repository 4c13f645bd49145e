/** Deploys that meet: refused, waiting for their turn, or given up; and many signals at once. */

import assert from 'node:assert/strict';
import { execFileSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { createTestApp, waitForLog, type Files, type TestApp } from '../support/app.ts';

const toServer = (greeting: string): Files => ({
  'server.js': `require('node:http').createServer((request, response) => response.end('${greeting}')).listen(process.env.PORT, '127.0.0.1');\n`,
});

interface Gated {
  readonly app: TestApp;
  readonly supervisor: ChildProcess;
  /** Resolves when a build is at the gate, and lets it pass. Only after the one before has ended: else that takes this one, too. */
  pass(): Promise<void>;
  waitForLines(pattern: RegExp, count: number): Promise<void>;
}

/** An app whose builds wait at a gate, which is a pipe with a name. */
async function startGated(t: TestContext): Promise<Gated> {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-gate-'));
  const gate = path.join(directory, 'gate');
  execFileSync('mkfifo', [gate]);
  const app = await createTestApp({
    files: toServer('one'),
    config: { entry: 'server.js', build: `cat ${gate}`, probationMs: 0 },
  });
  t.after(async () => {
    await app.dispose();
    rmSync(directory, { recursive: true });
  });
  // Opening it for writing blocks until a build has opened it for reading.
  const pass = async (): Promise<void> => writeFile(gate, '');
  const supervisor = app.spawnStart();
  await pass();
  await waitForLog(supervisor, () => app.log(), /midflight serving/);
  return {
    app,
    supervisor,
    pass,
    async waitForLines(pattern, count) {
      const isThere = (): boolean =>
        app
          .log()
          .split('\n')
          .filter((line) => pattern.test(line)).length >= count;
      while (!isThere()) await once(supervisor, 'printed');
    },
  };
}

test('a deploy waits its turn, is refused after its time, or at once, as it was told', async (t) => {
  const { app, pass, waitForLines } = await startGated(t);
  app.commit(toServer('two'));
  const first = app.midflight('deploy', 'HEAD', '--json');
  await waitForLines(/build$/, 2);
  const refused = await app.midflight('deploy');
  assert.match(refused.stderr, /ERR_MIDFLIGHT_DEPLOY_LOCKED\n.*deploy of HEAD, for \d+ s.*--wait/);
  const tired = await app.midflight('deploy', '--wait=0.1');
  assert.match(tired.stderr, /DEPLOY_LOCKED\n.*deploy of HEAD.* still after 100 ms/);
  assert.match(tired.stdout, /^ +wait +for its turn: deploy of HEAD/);
  assert.deepEqual([refused.exitCode, tired.exitCode], [4, 4]);
  const wrong = await app.midflight('deploy', '--wait', 'main');
  assert.match(wrong.stderr, /"main".*--wait=60/);
  assert.equal(wrong.exitCode, 2);
  app.commit(toServer('three'));
  const second = app.midflight('deploy', '--wait', '--json');
  await pass();
  assert.equal((await first).json['result'], 'committed');
  await pass();
  assert.equal((await second).json['result'], 'committed');
  assert.equal(await app.get(), 'three');
});

test('a hundred SIGHUPs during a deploy come to exactly one more, also when they have to wait for it', async (t) => {
  const { app, supervisor, pass, waitForLines } = await startGated(t);
  const storm = (): void => {
    for (let count = 0; count < 100; count++) process.kill(supervisor.pid ?? 0, 'SIGHUP');
  };
  app.commit(toServer('two'));
  const first = app.midflight('deploy', '--json');
  await waitForLines(/build$/, 2);
  storm();
  await waitForLines(/SIGHUP: waits/, 1);
  app.commit(toServer('three'));
  storm();
  await pass();
  assert.equal((await first).json['result'], 'committed');
  await waitForLines(/build$/, 3);
  storm();
  app.commit(toServer('four'));
  storm();
  await pass();
  await waitForLines(/build$/, 4);
  await pass();
  await waitForLines(/commit: /, 3);
  assert.equal(await app.get(), 'four');
  const { json } = await app.midflight('history', '--json');
  assert.equal((json as unknown as object[]).length, 4);
});
