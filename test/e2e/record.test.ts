/** A record that is damaged, restored or can't be written, under a service that runs. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { AuditLine } from '../../src/deploy/audit-chain.ts';
import { createTestApp, type TestApp } from '../support/app.ts';

const toServer = (version: string): string => `
import { createServer } from 'node:http';
createServer((request, response) => response.end('${version}')).listen(Number(process.env.PORT), '127.0.0.1');
`;

async function createApp(): Promise<TestApp> {
  return createTestApp({
    files: { 'server.mjs': toServer('v1') },
    config: { entry: 'server.mjs', probationMs: 50 },
  });
}

async function deploy(app: TestApp, version: string): Promise<Readonly<Record<string, unknown>>> {
  app.commit({ 'server.mjs': toServer(version) });
  return (await app.midflight('deploy', '--json')).json;
}

test('a start on a damaged record serves the proved release and says so, and a backup brings the history back', async (t) => {
  const app = await createApp();
  t.after(() => app.dispose());
  await app.start();
  assert.equal((await deploy(app, 'v2'))['result'], 'committed');
  const backup = path.join(app.directory, 'record.backup');
  assert.equal((await app.midflight('backup', backup)).exitCode, 0);
  const nowhere = await app.midflight('backup', path.join(app.directory, 'nowhere/record.backup'));
  assert.deepEqual([nowhere.exitCode, /nowhere \(ENOENT\)/.test(nowhere.stderr)], [2, true]);
  await app.end();
  const home = path.join(app.directory, '.midflight');
  const database = path.join(home, 'midflight.db');
  for (const suffix of ['-wal', '-shm']) rmSync(database + suffix, { force: true });
  writeFileSync(database, 'x'.repeat(8_192));
  // What was committed since must not be started: HEAD is v3.
  app.commit({ 'server.mjs': toServer('v3') });
  await app.start();
  assert.equal(await app.get(), 'v2');
  assert.match(app.log(), /the record was damaged .* noted as proved/);
  assert.match((await app.midflight('status')).stdout, /the record was damaged/);
  assert.equal((await deploy(app, 'v4'))['result'], 'committed');
  assert.doesNotMatch((await app.midflight('status')).stdout, /damaged/);
  await app.end();
  for (const suffix of ['', '-wal', '-shm']) rmSync(database + suffix, { force: true });
  copyFileSync(backup, database);
  await app.start();
  assert.equal(await app.get(), 'v2');
  assert.equal(JSON.parse((await app.midflight('history', '--json')).stdout).length, 2);
  assert.equal((await app.midflight('verify')).exitCode, 0);
});

test('a disk without room for the record rejects a deploy, the service runs on, and the next deploy works', async (t) => {
  const app = await createApp();
  const home = path.join(app.directory, '.midflight');
  mkdirSync(home);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4096k', 'midflight-test', home]);
  t.after(async () => {
    await app.end();
    execFileSync('umount', [home]);
    await app.dispose();
  });
  await app.start();
  const { bavail, bsize } = statfsSync(home);
  const filler = path.join(home, 'filler');
  writeFileSync(filler, Buffer.alloc(bavail * bsize));
  const refused = await deploy(app, 'v2');
  assert.equal(
    (refused['error'] as { code: string }).code,
    'ERR_MIDFLIGHT_DISK_FULL',
    JSON.stringify(refused),
  );
  assert.equal(await app.get(), 'v1');
  assert.equal(readdirSync(path.join(home, 'releases')).length, 1);
  rmSync(filler);
  assert.equal((await deploy(app, 'v2'))['result'], 'committed');
  assert.equal(await app.get(), 'v2');
  const history = JSON.parse((await app.midflight('history', '--json')).stdout) as { result: string }[];
  assert.ok(
    history.every(({ result }) => ['committed', 'rejected'].includes(result)),
    JSON.stringify(history),
  );
});

test('pins and gc beside a running app', async (t) => {
  const app = await createApp();
  t.after(() => app.dispose());
  await app.start();
  const { release } = await app.status();
  assert.deepEqual((await app.midflight('pin', release, '--json')).json, { pinned: [release] });
  const { json } = await app.midflight('gc', '--dry-run', '--json');
  const [kept] = json['kept'] as { release: string; roots: string[] }[];
  assert.equal(kept?.release, release);
  assert.deepEqual(kept.roots, ['current', 'proved', 'pinned', 'worker', 'newest']);
  assert.equal((await app.midflight('gc')).exitCode, 0);
  assert.equal(await app.get(), 'v1');
  await app.end();
  // Without anybody to ask, too.
  assert.equal((await app.midflight('gc')).exitCode, 0);
  const { lines } = (await app.midflight('audit', '--json')).json as { lines: AuditLine[] };
  const noted = lines.filter(({ action }) => ['pin', 'gc'].includes(action));
  assert.deepEqual(
    noted.map(({ action, actor, release: about, detail }) => [
      action,
      actor.by,
      about ?? detail?.split(';')[0],
    ]),
    [
      ['pin', 'command', release],
      ['gc', 'client', 'no release'],
      ['gc', 'command', 'no release'],
    ],
  );
});

test('a start whose release can not be read says so, and which one it makes instead', async (t) => {
  const app = await createApp();
  t.after(() => app.dispose());
  await app.start();
  const { release } = await app.status();
  await app.end();
  writeFileSync(path.join(app.directory, '.midflight/releases', release, 'manifest.json'), '{');
  await app.start();
  assert.equal(await app.get(), 'v1');
  assert.match(app.log(), new RegExp(`release ${release} can't be read, so one is made of the source`));
});

test('a release is on the disk before it is let in, and a deploy says where nobody knows', async (t) => {
  const tools = mkdtempSync(path.join(tmpdir(), 'midflight-sync-'));
  const said = path.join(tools, 'said');
  // How many releases had been let in by then, and which one there was.
  const script = `echo "$(cat audit.log 2>&1 | grep -c '"begun"') $(ls releases | wc -l)" >> ${said}; exit $(cat ${tools}/code)`;
  writeFileSync(path.join(tools, 'sync'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  writeFileSync(path.join(tools, 'code'), '0');
  const app = await createTestApp({
    files: { 'server.mjs': toServer('v1') },
    config: { entry: 'server.mjs', probationMs: 0 },
    environment: { PATH: `${tools}:${process.env['PATH']}` },
  });
  t.after(async () => {
    await app.dispose();
    rmSync(tools, { recursive: true, force: true });
  });
  await app.start();
  const { timings } = (await deploy(app, 'v2')) as { timings: Readonly<Record<string, number>> };
  assert.ok(timings['flushMs'] !== undefined);
  assert.deepEqual(readFileSync(said, 'utf8').trim().split('\n'), ['0 1', '1 2']);
  writeFileSync(path.join(tools, 'code'), '5');
  app.commit({ 'server.mjs': toServer('v3') });
  const { stdout, exitCode } = await app.midflight('deploy');
  assert.equal(exitCode, 0, stdout);
  assert.match(stdout, /flush .*a power cut would damage it: sync ended with 5/);
  assert.equal(await app.get(), 'v3');
});
