/** Releases that have to be signed, from the first key to an altered file, with the real command line. */

import assert from 'node:assert/strict';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { createTestApp, waitForLog, type CommandOutcome, type Files, type TestApp } from '../support/app.ts';

const toFiles = (version: string): Files => ({
  'server.ts': `
import { createServer } from 'node:http';
import { version } from './version.ts';
createServer((request, response) => response.end(version)).listen(Number(process.env.PORT), '127.0.0.1');
`,
  'version.ts': `export const version: string = '${version}';\n`,
});

interface SignedApp extends TestApp {
  /** Commits a version and deploys it. */
  deploy(version: string, ...args: string[]): Promise<CommandOutcome>;
  file(name: string): string;
}

/** An app with the keys `a` and `c`. */
async function makeApp(t: TestContext, probationMs = 0): Promise<SignedApp> {
  const app = await createTestApp({ files: toFiles('one'), config: { entry: 'server.ts', probationMs } });
  t.after(() => app.dispose());
  for (const name of ['a', 'c'])
    await app.midflight('keygen', '--out', `../${path.basename(app.directory)}.${name}`);
  t.after(() => {
    for (const name of ['a', 'a.pub', 'c', 'c.pub']) rmSync(`${app.directory}.${name}`, { force: true });
  });
  return {
    ...app,
    file: (name) => path.join(app.directory, '.midflight', name),
    async deploy(version, ...args) {
      app.commit(toFiles(version));
      return app.midflight('deploy', '--json', ...args);
    },
  };
}

const errorOf = ({ json }: CommandOutcome): string | undefined =>
  (json['error'] as { code: string } | null)?.code.replace('ERR_MIDFLIGHT_', '');

function readAll(directory: string): Map<string, Buffer> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return new Map(
    files.map(({ parentPath, name }) => [
      path.join(parentPath, name),
      readFileSync(path.join(parentPath, name)),
    ]),
  );
}

test('only signed releases get in, an old one only with a new signature, and the private key stays with the client', async (t) => {
  const app = await makeApp(t);
  const key = (name: string): string => `${app.directory}.${name}`;
  await app.midflight('trust', 'add', key('a.pub'));

  const child = app.spawnStart();
  await new Promise((resolve) => child.once('close', resolve));
  await app.printed(/ERR_MIDFLIGHT_RELEASE_UNSIGNED/);
  assert.doesNotMatch(app.log(), /fetch/);

  await app.start('--sign', key('a'));
  const { release: first } = await app.status();
  const unsigned = await app.deploy('two');
  assert.deepEqual([unsigned.exitCode, errorOf(unsigned), await app.get()], [3, 'RELEASE_UNSIGNED', 'one']);
  const foreign = await app.deploy('two', '--sign', key('c'));
  assert.deepEqual([foreign.exitCode, errorOf(foreign), await app.get()], [3, 'RELEASE_UNSIGNED', 'one']);
  const signed = await app.deploy('two', '--sign', key('a'));
  assert.deepEqual(
    [signed.exitCode, signed.json['path'], await app.get()],
    [0, 'swap', 'two'],
    signed.stdout,
  );

  const replayed = await app.midflight('rollback', first, '--json');
  assert.deepEqual([errorOf(replayed), await app.get()], ['STATEMENT_REPLAYED', 'two']);
  const back = await app.midflight('rollback', first, '--json', '--sign', key('a'));
  assert.deepEqual([back.exitCode, await app.get()], [0, 'one'], back.stdout);

  const { lines, broken } = (await app.midflight('audit', '--json')).json as unknown as {
    lines: { action: string; result: string; actor: { by: string; uid: number; pid: number | null } }[];
    broken: unknown;
  };
  assert.equal(broken, null);
  const said = lines.map(({ action, result, actor }) => `${action} ${result} ${actor.by}`);
  assert.deepEqual(said, [
    'trust add done command',
    'verify refused start',
    'start rejected start',
    'start begun start',
    'start committed start',
    'verify refused client',
    'deploy rejected client',
    'verify refused client',
    'deploy rejected client',
    'deploy begun client',
    'deploy committed client',
    'verify refused client',
    'rollback rejected client',
    'rollback begun client',
    'rollback committed client',
  ]);
  assert.ok(lines.every(({ actor }) => actor.uid === process.getuid?.() && actor.pid !== null));

  const secret = readFileSync(key('a'), 'utf8').split('\n')[1] ?? '-';
  for (const [file, bytes] of readAll(app.file(''))) assert.ok(!bytes.includes(secret), file);
  assert.ok(!app.log().includes(secret));
});

test('what was altered after it was signed is loaded neither by a start nor by a worker', async (t) => {
  const app = await makeApp(t);
  const key = `${app.directory}.a`;
  await app.midflight('trust', 'add', `${key}.pub`);
  await app.start('--sign', key);
  const { release: first } = await app.status();
  const second = (await app.deploy('two', '--sign', key)).json['release'] as string;

  const stored = [...readAll(app.file('store'))].find(([, code]) => /["']one["']/.test(code.toString()));
  assert.ok(stored !== undefined);
  const [file, code] = stored;
  writeFileSync(file, code.toString().replace(/(["'])one\1/, '"own"'));
  const altered = await app.midflight('rollback', first, '--json', '--sign', key);
  assert.deepEqual([errorOf(altered), await app.get()], ['RELEASE_ALTERED', 'two']);

  const manifest = app.file(`releases/${second}/manifest.json`);
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('"isDirty": false', '"isDirty":  false'));
  await app.end();
  const child = app.spawnStart();
  await new Promise((resolve) => child.once('close', resolve));
  await app.printed(/ERR_MIDFLIGHT_RELEASE_ALTERED/);
});

test('going back in probation and going on after a killed supervisor need no new signature, but what was altered meanwhile is not loaded again', async (t) => {
  const app = await makeApp(t, 60_000);
  const key = `${app.directory}.a`;
  await app.midflight('trust', 'add', `${key}.pub`);
  const child = await app.start('--sign', key);
  const { release, supervisor } = await app.status();
  await app.deploy('two', '--detach', '--sign', key);
  assert.equal(await app.get(), 'two');
  const back = await app.midflight('rollback', '--json');
  assert.deepEqual([back.json['result'], await app.get()], ['committed', 'one'], back.stdout);

  const manifest = app.file(`releases/${release}/manifest.json`);
  writeFileSync(manifest, `${readFileSync(manifest, 'utf8')} `);
  const from = app.log().length;
  process.kill(supervisor.pid, 'SIGKILL');
  await waitForLog(child, () => app.log().slice(from), /midflight serving /);
  const next = await app.status();
  assert.notEqual(next.supervisor.pid, supervisor.pid);
  assert.deepEqual([next.release, await app.get()], [release, 'one']);
  await waitForLog(child, app.log, /nothing of it is loaded again/);
});
