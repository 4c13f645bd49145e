/** A disk that can't be written: what is wanted is refused with what to do, what serves serves on, and the next deploy works. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { createTestApp, type CommandOutcome, type TestApp } from '../support/app.ts';

const toServer = (version: string): string => `
import { createServer } from 'node:http';
createServer((request, response) => response.end('${version}')).listen(Number(process.env.PORT), '127.0.0.1');
`;

interface DiskApp {
  readonly app: TestApp;
  /** As a disk is after an error, for whoever opens a file from now on; permissions alone are nothing to root. */
  makeReadOnly(): void;
  makeWritable(): void;
}

async function createApp(t: TestContext): Promise<DiskApp> {
  const app = await createTestApp({
    files: { 'server.mjs': toServer('v1') },
    config: { entry: 'server.mjs', probationMs: 0 },
  });
  const directory = path.join(app.directory, '.midflight');
  mkdirSync(directory);
  const isRoot = process.getuid?.() === 0;
  let isReadOnly = false;
  const makeWritable = (): void => {
    if (isReadOnly && isRoot) execFileSync('umount', [directory]);
    else if (isReadOnly) for (const folder of foldersOf(directory)) chmodSync(folder, 0o700);
    isReadOnly = false;
  };
  t.after(async () => {
    makeWritable();
    await app.dispose();
  });
  return {
    app,
    makeReadOnly() {
      isReadOnly = true;
      if (!isRoot) return foldersOf(directory).forEach((folder) => chmodSync(folder, 0o500));
      execFileSync('mount', ['--bind', directory, directory]);
      execFileSync('mount', ['-o', 'remount,ro,bind', directory]);
    },
    makeWritable,
  };
}

const foldersOf = (directory: string): readonly string[] => [
  directory,
  ...readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => path.join(directory, entry.name)),
];

function assertRefused({ exitCode, stdout, stderr, json }: CommandOutcome): void {
  const code = (json['error'] as { code?: string } | undefined)?.code;
  assert.equal(code, 'ERR_MIDFLIGHT_DISK_UNWRITABLE', `${stdout}${stderr}`);
  assert.match(`${stdout}${stderr}`, /\.midflight can't be written: .*(?:EROFS|EACCES|read-only)/);
  assert.equal(exitCode, 1);
}

test('a disk that has become read-only refuses deploys, plans and bundles, the service serves on, and later all works', async (t) => {
  const { app, makeReadOnly, makeWritable } = await createApp(t);
  await app.start();
  app.commit({ 'server.mjs': toServer('v2') });
  makeReadOnly();
  assertRefused(await app.midflight('deploy', '--json'));
  assertRefused(await app.midflight('plan', '--json'));
  assertRefused(await app.midflight('bundle', '--out', path.join(app.directory, 'bundle'), '--json'));
  assert.equal(await app.get(), 'v1');
  const { workers } = await app.status();
  assert.deepEqual(
    workers.map(({ state }) => state),
    ['serving'],
  );
  makeWritable();
  assert.equal((await app.midflight('deploy', '--json')).json['result'], 'committed');
  assert.equal(await app.get(), 'v2');
});

test('a start, gc and doctor on a read-only disk say so', async (t) => {
  const { app, makeReadOnly } = await createApp(t);
  makeReadOnly();
  await assert.rejects(app.start(), /ERR_MIDFLIGHT_DISK_UNWRITABLE[\s\S]*see to the disk/);
  assertRefused(await app.midflight('gc', '--json'));
  const { checks } = (await app.midflight('doctor', '--json')).json as {
    checks: { name: string; result: string; fix: string }[];
  };
  const found = checks.find(({ name }) => name === '.midflight');
  assert.equal(found?.result, 'fail');
  assert.match(found?.fix ?? '', process.getuid?.() === 0 ? /mount/ : /chown/);
});
