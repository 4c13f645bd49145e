/** Each check, where all is well and where it is not. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { examine, type Check } from '../../src/console/doctor.ts';
import { toHome } from '../../src/release/home.ts';

async function examineApp(
  t: TestContext,
  files: Readonly<Record<string, string>>,
): Promise<(name: string) => Check> {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-doctor-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(path.join(directory, '.midflight'), { mode: 0o755 });
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(directory, name), text);
  if ('open' in files) chmodSync(path.join(directory, '.midflight'), 0o777);
  const checks = await examine(toHome(directory));
  return (name) => checks.find((check) => check.name === name) ?? assert.fail(`no ${name}`);
}

test('an app that is well has no finding', async (t) => {
  const find = await examineApp(t, { 'package.json': '{}', 'package-lock.json': '{}' });
  for (const name of ['node', 'git', '.midflight', 'configuration', 'npm'])
    assert.deepEqual([name, find(name).result, find(name).fix], [name, 'ok', null]);
});

test('a configuration that is not valid fails with its key', async (t) => {
  const find = await examineApp(t, { 'midflight.config.json': '{ "keeep": 3 }' });
  assert.equal(find('configuration').result, 'fail');
  assert.match(find('configuration').message, /keeep/);
});

test('tools that are not on the PATH fail, and Perl is missed by programs only', async (t) => {
  const { PATH = '' } = process.env;
  process.env['PATH'] = '/nonexistent';
  t.after(() => (process.env['PATH'] = PATH));
  const config = JSON.stringify({ command: ['./shop'], listen: ['127.0.0.1:0'] });
  const find = await examineApp(t, {
    'package.json': '{}',
    'pnpm-lock.yaml': '',
    'midflight.config.json': config,
  });
  assert.deepEqual([find('git').result, find('pnpm').result, find('perl').result], ['fail', 'fail', 'warn']);
  assert.equal(find('listen 127.0.0.1:0').result, 'ok');
});

test('an address that another process has fails', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const config = JSON.stringify({ command: ['./shop'], listen: [address] });
  const find = await examineApp(t, { 'midflight.config.json': config });
  assert.match(find(`listen ${address}`).message, /EADDRINUSE/);
});

test('a folder that others may write into is warned of', async (t) => {
  const find = await examineApp(t, { open: '' });
  assert.equal(find('.midflight').result, 'warn');
});
