/** A host that opens plugins by name: which version it gets, and how it follows the registry. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fn, type Plugin } from '../../../src/plugin.ts';
import { describePlugin } from '../../../src/plugin/registry/list-plugins.ts';
import { rollBackPlugin, usePlugin } from '../../../src/plugin/registry/use-version.ts';
import { setThreshold } from '../../../src/release/trust.ts';
import { repository } from '../../support/app.ts';
import { createRegistryFolder, hello } from './registry-folder.ts';

const greeting = fn<(name: string) => string>();
const unsatisfied = 'ERR_MIDFLIGHT_PLUGIN_VERSION_UNSATISFIED';

async function swapOf(plugin: Plugin): Promise<string | null> {
  return new Promise((resolve) => {
    plugin.on('swap', ({ version }) => resolve(version));
    plugin.on('rejected', ({ error }) => resolve(String(error)));
  });
}

test('a host gets the version in use if it is in range, else the newest that is, else it is told what there is', async (t) => {
  const folder = createRegistryFolder(t);
  for (const version of ['1.0.0', '1.1.0', '2.0.0', '3.0.0-beta.1'])
    await folder.publishVersion('greet.js', version, `export const hello = () => '${version}';`);
  await usePlugin(folder.registry, { name: 'greet', version: '1.0.0' });
  const versionFor = async (range?: string): Promise<string | null> => {
    const plugin = await folder.open('greet', range === undefined ? {} : { version: range });
    const { version } = plugin;
    await plugin.close();
    return version;
  };
  assert.deepEqual(
    [await versionFor(), await versionFor('^1.0.0'), await versionFor('^1.0.1'), await versionFor('>=2')],
    ['1.0.0', '1.0.0', '1.1.0', '2.0.0'],
  );
  rmSync(path.join(folder.registry.pointers, 'greet.json'));
  assert.deepEqual([await versionFor(), await versionFor('^3.0.0-beta')], ['2.0.0', '3.0.0-beta.1']);
  await assert.rejects(versionFor('^4'), {
    code: unsatisfied,
    message: 'Plugin greet is published as 3.0.0-beta.1, 2.0.0, 1.1.0, 1.0.0, and the host needs ^4',
  });
  await assert.rejects(folder.open('nobody'), {
    code: 'ERR_MIDFLIGHT_PLUGIN_UNKNOWN',
    message: /There is no plugin "nobody" in .*there are greet\. To open a file, write "\.\/nobody"/,
  });
  // Who comes later, and needs another, gets one that all can work with, or none.
  const first = await folder.open('greet', { version: '^1' });
  const second = await folder.open('greet', { version: '<1.1' });
  assert.deepEqual([first.version, second.version], ['1.0.0', '1.0.0']);
  await assert.rejects(folder.open('greet', { version: '^2' }), {
    code: unsatisfied,
    message: /the host needs \^1 and the host needs <1\.1 and the host needs \^2$/,
  });
  assert.equal(first.version, '1.0.0');
  for (const plugin of [first, second]) await plugin.close();
  const both = await Promise.all([folder.open('greet'), folder.open('greet', { version: '^1' })]);
  assert.deepEqual(
    both.map(({ version }) => version),
    ['1.1.0', '1.1.0'],
  );
});

test('a service follows use, publish and rollback while it is called, and refuses what it can not work with', async (t) => {
  const folder = createRegistryFolder(t);
  const { registry } = folder;
  await folder.publishVersion('greet.ts', '1.0.0', hello('one'));
  const plugin = await folder.open('greet', { watch: true, version: '<3', probationMs: 0 });
  const call = plugin.lookup('hello', greeting);
  const answers = new Set<string>();
  const calling = setInterval(() => answers.add(call('Ada')), 1);
  t.after(() => clearInterval(calling));
  const after = async (change: () => Promise<unknown>): Promise<string | null> => {
    const swapped = swapOf(plugin);
    await change();
    return swapped;
  };
  assert.equal(await after(async () => folder.publishVersion('greet.ts', '1.1.0', hello('more'))), '1.1.0');
  assert.equal(call('Ada'), 'more Ada');
  assert.equal(await after(async () => rollBackPlugin(registry, 'greet')), '1.0.0');
  assert.equal(call('Ada'), 'one Ada');
  assert.equal(await after(async () => usePlugin(registry, { name: 'greet', version: '1.1.0' })), '1.1.0');
  assert.match(
    (await after(async () => folder.publishVersion('greet.ts', '2.0.0', 'export const other = 1;'))) ?? '',
    /PLUGIN_MISMATCH|asked for "hello"/,
  );
  assert.equal(call('Ada'), 'more Ada');
  await plugin.pin('1.0.0');
  assert.deepEqual([plugin.version, call('Ada')], ['1.0.0', 'one Ada']);
  await assert.rejects(plugin.pin('9.0.0'), {
    code: 'ERR_MIDFLIGHT_PLUGIN_VERSION_UNKNOWN',
    message: /2\.0\.0, 1\.1\.0, 1\.0\.0/,
  });
  assert.deepEqual(
    [...answers].filter((answer) => !/^(?:one|more) Ada$/.test(answer)),
    [],
  );
});

test('what a plugin requires comes from the same registry, also where two require each other', async (t) => {
  const folder = createRegistryFolder(t);
  const friend = (other: string): string =>
    `import { fn } from 'midflight/plugin';\nexport const whoAmI = () => import.meta.filename.split('/').at(-1);\n` +
    `export const other = () => '${other}';`;
  await folder.publishVersion('a.js', '1.0.0', friend('b'), { requires: { b: '^1.0.0' } });
  await assert.rejects(folder.open('a'), { code: 'ERR_MIDFLIGHT_PLUGIN_UNKNOWN', message: /no plugin "b"/ });
  await folder.publishVersion('b.js', '1.0.0', friend('a'), { requires: { a: '^1.0.0' } });
  await folder.publishVersion('b.js', '2.0.0', friend('a'), { requires: { a: '^1.0.0' } });
  const a = await folder.open('a');
  const b = await folder.open('b');
  // 2.0.0 is in use, and a can't work with it.
  assert.deepEqual([a.version, b.version], ['1.0.0', '1.0.0']);
  await assert.rejects(folder.open('b', { version: '^2' }), {
    code: unsatisfied,
    message: /plugin a@1\.0\.0 needs \^1\.0\.0/,
  });
});

test('an altered byte is refused, whatever it is in, and the host goes on with what it has', async (t) => {
  const folder = createRegistryFolder(t);
  const { registry } = folder;
  await folder.publishVersion('greet.js', '1.0.0', `export const hello = () => 'one';`);
  const plugin = await folder.open('greet');
  const call = plugin.lookup('hello', fn<() => string>());
  await folder.publishVersion('greet.js', '1.1.0', `export const hello = () => 'two';`);
  const folderOf = path.join(registry.versions, 'greet/1.1.0');
  const { modules } = JSON.parse(readFileSync(path.join(folderOf, 'manifest.json'), 'utf8')) as {
    modules: Record<string, { hash: string; mapHash: string }>;
  };
  const { hash = '', mapHash = '' } = modules['greet.js'] ?? {};
  const longer = (text: string): string => `${text}.`;
  const manifest = path.join(folderOf, 'manifest.json');
  const alterations: readonly (readonly [file: string, alter: (text: string) => string])[] = [
    [path.join(folderOf, 'app/greet.js'), longer],
    [path.join(registry.store, `${hash}.js`), longer],
    [path.join(registry.store, `${mapHash}.js.map`), longer],
    [manifest, longer],
    [manifest, () => '{"name":"greet","version":"1.1.0","pluginVersion":1}'],
    [manifest, (text) => text.replace('"1.1.0"', '"1.2.0"')],
  ];
  for (const [file, alter] of alterations) {
    const before = readFileSync(file, 'utf8');
    writeFileSync(file, alter(before));
    const altered = { code: 'ERR_MIDFLIGHT_PLUGIN_ALTERED' };
    await assert.rejects(plugin.refresh(), altered, file);
    await assert.rejects(usePlugin(registry, { name: 'greet', version: '1.1.0' }), altered, file);
    assert.equal(call(), 'one');
    writeFileSync(file, before);
  }
  writeFileSync(path.join(folderOf, 'app/surplus.js'), '');
  await assert.rejects(plugin.refresh(), {
    code: 'ERR_MIDFLIGHT_PLUGIN_ALTERED',
    message: /surplus\.js is unexpected/,
  });
  rmSync(path.join(folderOf, 'app/surplus.js'));
  await plugin.refresh();
  assert.equal(call(), 'two');
});

test('where keys are trusted a version needs their signatures, over its own bytes, and what is unsigned is not published for use', async (t) => {
  const folder = createRegistryFolder(t);
  const { registry } = folder;
  const unsigned = { code: 'ERR_MIDFLIGHT_PLUGIN_UNSIGNED' };
  const one = `export const hello = () => 'one';`;
  await folder.publishVersion('greet.js', '1.0.0', one);
  const key = folder.trust();
  await assert.rejects(folder.open('greet'), {
    ...unsigned,
    message: /greet@1\.0\.0 is signed by 0 of the trusted keys and needs 1/,
  });
  await assert.rejects(folder.publishVersion('greet.js', '1.1.0', one), unsigned);
  assert.deepEqual(readdirSync(path.join(registry.versions, 'greet')), ['1.0.0']);
  const signed = await folder.publishVersion('greet.js', '1.0.0', one, { keyFiles: [key] });
  assert.deepEqual([signed.result, signed.signers.length], ['unchanged', 1]);
  const plugin = await folder.open('greet');
  assert.equal(plugin.version, '1.0.0');
  const { versions } = await describePlugin(registry, 'greet');
  assert.deepEqual((versions[0] as { signatures: object }).signatures, [
    { key: signed.signers[0], isTrusted: true },
  ]);
  // The signature of another version is none, nor is that of a key that is not trusted, nor one over other bytes.
  await folder.publishVersion('greet.js', '1.1.0', one, { isUsed: false });
  const statement = (version: string): string =>
    path.join(registry.versions, 'greet', version, 'statement.json');
  writeFileSync(statement('1.1.0'), readFileSync(statement('1.0.0')));
  await assert.rejects(usePlugin(registry, { name: 'greet', version: '1.1.0' }), {
    code: 'ERR_MIDFLIGHT_PLUGIN_ALTERED',
    message: /its statement is about greet@1\.0\.0/,
  });
  rmSync(statement('1.1.0'));
  renameSync(path.join(folder.directory, '.midflight/trust'), path.join(folder.directory, 'before'));
  folder.trust();
  await assert.rejects(folder.publishVersion('greet.js', '1.1.0', one, { keyFiles: [key] }), unsigned);
  assert.equal(existsSync(statement('1.1.0')), false);
  // Of two that have to sign, the second puts it in use.
  const keys = [folder.trust(), folder.trust()] as const;
  setThreshold(path.join(folder.directory, '.midflight/trust'), 2);
  await folder.publishVersion('greet.js', '1.1.0', one, { keyFiles: [keys[0]], isUsed: false });
  await assert.rejects(usePlugin(registry, { name: 'greet', version: '1.1.0' }), {
    ...unsigned,
    message: /signed by 1 of the trusted keys and needs 2/,
  });
  assert.equal((await folder.publishVersion('greet.js', '1.1.0', one, { keyFiles: [keys[1]] })).inUse, true);
});

test('who opens from a registry loads no compiler, and finds its sources in stack traces', async (t) => {
  const folder = createRegistryFolder(t);
  const throwing = `interface Nothing {}\nexport const hello = (name: string) => {\n  throw new Error(name);\n};\n`;
  await folder.publishVersion('greet.ts', '1.0.0', throwing);
  folder.write({ 'midflight.config.json': '{ "plugins": { "registry": ".midflight/plugins" } }' });
  const script = `
    const { openPlugin, fn } = await import(${JSON.stringify(path.join(repository, 'src/plugin.ts'))});
    const plugin = await openPlugin('greet');
    try { plugin.lookup('hello', fn())('Ada'); } catch (error) { console.log(error.stack); }
    process.report.excludeNetwork = true;
    console.log(process.report.getReport().sharedObjects.filter((file) => /oxc|parcel/.test(file)).join() || 'no compiler');
    await plugin.close();`;
  const child = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: folder.directory,
    encoding: 'utf8',
  });
  assert.match(child.stdout, /versions\/greet\/1\.0\.0\/app\/greet\.ts:5:9/, child.stderr);
  assert.match(child.stdout, /no compiler/);
  assert.equal(child.status, 0);
});
