/** Each check, where all is well and where it is not. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, watch, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { checkWatches, examine, type Check } from '../../src/console/doctor.ts';
import { readInotifyUse } from '../../src/console/inotify-use.ts';
import { openHistory } from '../../src/deploy/history.ts';
import { buildRelease } from '../../src/release/build.ts';
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

test('file watches that are nearly all taken are warned of with the setting', (t) => {
  const proc = mkdtempSync(path.join(tmpdir(), 'midflight-proc-'));
  t.after(() => rmSync(proc, { recursive: true, force: true }));
  const write = (name: string, text: string): void => {
    mkdirSync(path.dirname(path.join(proc, name)), { recursive: true });
    writeFileSync(path.join(proc, name), text);
  };
  write('sys/fs/inotify/max_user_watches', '8192\n');
  write('sys/fs/inotify/max_user_instances', '128\n');
  for (const [pid, count] of [
    [7, 5_000],
    [8, 1],
  ] as const) {
    write(`${pid}/fdinfo/4`, `pos:\t0\n${'inotify wd:1 ino:2\n'.repeat(count)}`);
    mkdirSync(path.join(proc, `${pid}/fd`));
    symlinkSync('anon_inode:inotify', path.join(proc, `${pid}/fd/4`));
    symlinkSync('/dev/null', path.join(proc, `${pid}/fd/5`));
  }
  const use = readInotifyUse(proc);
  assert.deepEqual(use, { instances: 2, instancesMax: 128, watches: 5_001, watchesMax: 8_192 });
  const { result, fix } = checkWatches(use);
  assert.equal(result, 'warn');
  assert.match(fix ?? '', /^sysctl fs\.inotify\.max_user_watches=\d+$/);
  assert.match(checkWatches({ ...use, watches: 0, instances: 127 }).fix ?? '', /max_user_instances/);
  assert.equal(checkWatches({ ...use, watches: 0 }).result, 'ok');
  assert.equal(readInotifyUse(path.join(proc, 'nowhere')), null);
});

test('a watch of this process is among those that are taken', { skip: process.platform !== 'linux' }, (t) => {
  const watcher = watch(import.meta.dirname);
  t.after(() => watcher.close());
  const after = readInotifyUse() ?? assert.fail('no inotify');
  assert.ok(after.watches > 0 && after.instances > 0);
});

test('files of the release that serves which differ fail, and a clock that is behind the record is warned of', async (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-doctor-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(path.join(directory, 'server.js'), 'export {};');
  writeFileSync(path.join(directory, 'midflight.config.json'), '{"entry":"server.js"}');
  const home = toHome(directory);
  const { manifest } = await buildRelease({ home, ref: '', isDirty: true, onStep: () => undefined });
  const history = openHistory(home.database);
  history.begin('deploy', null);
  history.setCurrent(manifest.id);
  history.close();
  const find = async (name: string): Promise<Check> =>
    (await examine(home)).find((check) => check.name === name) ?? assert.fail(`no ${name}`);
  for (const name of ['record', 'clock', 'current release'])
    assert.equal((await find(name)).result, 'ok', name);
  writeFileSync(path.join(home.releases, manifest.id, 'app/server.js'), 'export default 2;');
  assert.match((await find('current release')).message, /app\/server\.js is altered/);
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() - 60_000 });
  assert.equal((await find('clock')).result, 'warn');
  rmSync(path.join(home.releases, manifest.id), { recursive: true });
  assert.equal((await find('current release')).result, 'fail');
  writeFileSync(home.database, 'x'.repeat(8_192));
  assert.match((await find('record')).message, /damaged/);
});
