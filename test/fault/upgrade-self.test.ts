/** The supervisor is replaced by that of another installation of Midflight, or stays where that one is no good. */

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startLoad } from '../../scripts/load/load.ts';
import { createTestApp, readRepositoryFile, repository, type TestApp } from '../support/app.ts';
import { toFrameworkApp, toVersionFiles } from '../support/frameworks.ts';

interface Installed {
  readonly app: TestApp;
  /** Puts another Midflight in the place of the one that was started; `supervisor` is its main file where it is no good. */
  install(version: string, supervisor?: string): void;
  dispose(): Promise<void>;
  supervisor(): Promise<{ readonly pid: number; readonly version: string; readonly restarts: number }>;
}

async function startApp(): Promise<Installed> {
  const installations = mkdtempSync(path.join(tmpdir(), 'midflight-installed-'));
  const current = path.join(installations, 'current');
  const install = (version: string, supervisor?: string): void => {
    const directory = path.join(installations, version);
    mkdirSync(directory);
    for (const name of ['bin', 'dist'])
      cpSync(path.join(repository, name), path.join(directory, name), { recursive: true });
    symlinkSync(path.join(repository, 'node_modules'), path.join(directory, 'node_modules'));
    const description = JSON.parse(readRepositoryFile('package.json')) as object;
    writeFileSync(path.join(directory, 'package.json'), JSON.stringify({ ...description, version }));
    if (supervisor !== undefined) writeFileSync(path.join(directory, 'bin/supervisor.js'), supervisor);
    rmSync(current, { force: true });
    symlinkSync(directory, current);
  };
  install('1.0.0');
  const app = await createTestApp({
    files: toFrameworkApp('http', 'one'),
    config: { entry: 'server.ts', workers: 2, probationMs: 100 },
    startFile: path.join(current, 'bin/midflight.js'),
  });
  await app.start();
  return {
    app,
    install,
    async dispose() {
      await app.dispose();
      rmSync(installations, { recursive: true, force: true });
    },
    supervisor: async () => (await app.status()).supervisor as never,
  };
}

test('upgrade-self goes on with the new version under load: the same workers, no request failed, and deploys work on', async (t) => {
  const { app, install, supervisor, dispose } = await startApp();
  t.after(dispose);
  const earlier = await app.status();
  assert.equal((await supervisor()).version, '1.0.0');
  install('2.0.0');
  const load = startLoad({
    origin: app.origin,
    clients: { strict: 10, newConnection: 2, slow: 2 },
    thinkMs: 20,
  });
  const { exitCode, json, stderr } = await app.midflight('upgrade-self', '--json');
  assert.equal(exitCode, 0, stderr + app.log());
  assert.equal(json['version'], '2.0.0');
  const { version, pid } = await supervisor();
  assert.equal(version, '2.0.0');
  assert.deepEqual(json['supervisor'], { pid });
  app.commit(toVersionFiles('two'));
  assert.equal((await app.midflight('deploy')).exitCode, 0);
  assert.deepEqual((await load.stop()).failures, []);
  const pidsOf = ({ workers }: Awaited<ReturnType<TestApp['status']>>): number[] =>
    workers.map((worker) => worker.pid).toSorted((one, other) => one - other);
  assert.deepEqual(pidsOf(await app.status()), pidsOf(earlier));
});

const protocols = (min: number): string =>
  JSON.stringify({
    version: '3.0.0',
    protocols: { keeper: { min, max: min }, worker: { min: 1, max: 1 }, control: { min: 1, max: 1 } },
  });
const answering = (text: string): string =>
  `if (process.argv[2] === '--protocols') console.log(${JSON.stringify(text)});\n`;

describe('a version that can not follow', () => {
  let installed: Installed | null = null;
  before(async () => void (installed = await startApp()));
  after(async () => installed?.dispose());

  for (const { name, file, code, exitCode, says, restarts } of [
    {
      name: 'does not load',
      file: `throw new Error('half installed');\n`,
      code: 'ERR_MIDFLIGHT_UPGRADE_FAILED',
      exitCode: 3,
      says: /half installed/,
      restarts: 0,
    },
    {
      name: 'speaks other protocols',
      file: answering(protocols(7)),
      code: 'ERR_MIDFLIGHT_PROTOCOL_MISMATCH',
      exitCode: 4,
      says: /Midflight 3\.0\.0 speaks keeper protocol 7\.\.7/,
      restarts: 0,
    },
    {
      name: 'ends at its start',
      file: `${answering(protocols(1))}else process.exit(9);\n`,
      code: 'ERR_MIDFLIGHT_UPGRADE_FAILED',
      exitCode: 3,
      says: /exit code 9/,
      restarts: 2,
    },
  ]) {
    test(`upgrade-self to a version that ${name} fails, and the one before goes on`, async () => {
      assert.ok(installed !== null);
      const { app, install, supervisor } = installed;
      install(`2.0.0-${name.replaceAll(' ', '-')}`, file);
      const outcome = await app.midflight('upgrade-self');
      assert.equal(outcome.exitCode, exitCode, outcome.stderr);
      assert.match(outcome.stderr, new RegExp(code));
      assert.match(outcome.stderr, says);
      const { version, restarts: restarted } = await supervisor();
      assert.deepEqual([version, restarted], ['1.0.0', restarts]);
      app.commit(toVersionFiles(name));
      assert.equal((await app.midflight('deploy')).exitCode, 0);
    });
  }

  test('upgrade-self is refused while a deploy is in probation', async () => {
    assert.ok(installed !== null);
    const { app, install } = installed;
    app.commit({
      ...toVersionFiles('in probation'),
      'midflight.config.json': JSON.stringify({ entry: 'server.ts', workers: 2, probationMs: 60_000 }),
    });
    assert.equal((await app.midflight('deploy', '--detach')).exitCode, 0);
    install('2.0.0');
    const { exitCode, stderr } = await app.midflight('upgrade-self');
    assert.equal(exitCode, 4);
    assert.match(stderr, /ERR_MIDFLIGHT_DEPLOY_LOCKED/);
  });
});
