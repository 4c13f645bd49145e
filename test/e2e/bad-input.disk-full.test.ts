/** A disk that is full while a release is made: nothing is lost, and the next deploy works once there is room. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, statfsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { createTestApp, type TestApp } from '../support/app.ts';

const server = `
import { createServer } from 'node:http';
createServer((request, response) => response.end('v1')).listen(Number(process.env.PORT), '127.0.0.1');
`;
const SIZE_KIB = 2_048;

/** Gives `.midflight` a small file system of its own, which takes root. */
function mountSmallDisk(t: TestContext, app: TestApp): string {
  const directory = path.join(app.directory, '.midflight');
  mkdirSync(directory);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_KIB}k`, 'midflight-test', directory]);
  // Before the app's own clean-up: hooks run in the order in which they were made.
  t.after(async () => {
    await app.end();
    execFileSync('umount', [directory]);
    await app.dispose();
  });
  return directory;
}

test('a disk that is full stops a deploy, and the old code serves on', async (t) => {
  const app = await createTestApp({
    files: { 'server.mjs': server },
    config: { entry: 'server.mjs', probationMs: 50 },
  });
  const directory = mountSmallDisk(t, app);
  await app.start();
  app.commit({ 'server.mjs': server.replace('v1', 'v2'), 'big.bin': 'x'.repeat(SIZE_KIB * 1_024) });
  const refused = await app.midflight('deploy', '--json');
  assert.equal(
    (refused.json['error'] as { code: string }).code,
    'ERR_MIDFLIGHT_DISK_FULL',
    JSON.stringify(refused),
  );
  assert.notEqual(refused.exitCode, 0);
  assert.equal(await app.get(), 'v1');
  assert.deepEqual(
    readdirSync(path.join(directory, 'releases')).filter((name) => name.startsWith('.')),
    [],
  );
  app.commit({ 'big.bin': 'smaller' });
  assert.equal((await app.midflight('deploy', '--json')).json['result'], 'committed');
  assert.equal(await app.get(), 'v2');
});

test('a disk that is full stops the first start with what to do', async (t) => {
  const app = await createTestApp({
    files: { 'server.mjs': server, 'big.bin': 'x'.repeat(SIZE_KIB * 1_024) },
    config: { entry: 'server.mjs' },
  });
  mountSmallDisk(t, app);
  await assert.rejects(app.start(), /ERR_MIDFLIGHT_DISK_FULL[\s\S]*free some space/);
});

test('a disk without a byte left stops a start with what to do', async (t) => {
  const app = await createTestApp({ files: { 'server.mjs': server }, config: { entry: 'server.mjs' } });
  const directory = mountSmallDisk(t, app);
  const { bavail, bsize } = statfsSync(directory);
  writeFileSync(path.join(directory, 'filler'), Buffer.alloc(bavail * bsize));
  await assert.rejects(app.start(), /ERR_MIDFLIGHT_DISK_FULL[\s\S]*free some space/);
});

test('a bundle for which there is no room is not taken for one that is damaged', async (t) => {
  const options = { files: { 'server.mjs': server }, config: { entry: 'server.mjs', probationMs: 50 } };
  const maker = await createTestApp(options);
  t.after(() => maker.dispose());
  maker.commit({ 'big.bin': 'x'.repeat(SIZE_KIB * 1_024) });
  const bundle = path.join(maker.directory, 'bundle');
  assert.equal((await maker.midflight('bundle', '--out', bundle)).exitCode, 0);
  const app = await createTestApp(options);
  mountSmallDisk(t, app);
  await app.start();
  const refused = await app.midflight('deploy', '--bundle', bundle, '--json');
  assert.equal((refused.json['error'] as { code: string }).code, 'ERR_MIDFLIGHT_DISK_FULL');
  assert.equal(await app.get(), 'v1');
});
