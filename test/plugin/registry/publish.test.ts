/** Publishing: what is refused, and what a registry looks like after it. */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { packTar } from 'modern-tar';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { describePlugin, listPlugins, verifyPlugins } from '../../../src/plugin/registry/list-plugins.ts';
import { unpackPackage } from '../../../src/plugin/registry/npm-package.ts';
import { readPointer } from '../../../src/plugin/registry/pointer.ts';
import { parseVersionName, requireName, requireVersion } from '../../../src/plugin/registry/registry.ts';
import { unpublishPlugin } from '../../../src/plugin/registry/unpublish.ts';
import { rollBackPlugin, usePlugin } from '../../../src/plugin/registry/use-version.ts';
import { repository } from '../../support/app.ts';
import { createRegistryFolder, hello, type RegistryFolder } from './registry-folder.ts';

const breaking = 'ERR_MIDFLIGHT_PLUGIN_BREAKING';

/** Every file below a folder, with its content. */
function snapshot(directory: string): Record<string, string> {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  return Object.fromEntries(files.map((file) => [file, readFileSync(file, 'base64')]));
}

function stored({ registry }: RegistryFolder): string[] {
  return readdirSync(registry.store).toSorted();
}

test('names and versions that could lead elsewhere, or be another on another disk, are refused', () => {
  const code = 'ERR_MIDFLIGHT_PLUGIN_NAME_INVALID';
  for (const name of [
    '',
    '.',
    '..',
    '../greet',
    'a/b',
    '/greet',
    'Greet',
    '.greet',
    '@a',
    '@a/../b',
    'a+b',
    'a\0',
    'a'.repeat(300),
  ])
    assert.throws(() => requireName(name), { code }, name);
  for (const version of [
    '',
    '1',
    '1.0',
    'v1.0.0',
    ' 1.0.0',
    '1.0.0+build',
    '1.0.0-Beta',
    '../1.0.0',
    '1.0.0/..',
  ])
    assert.throws(() => requireVersion(version), { code }, version);
  for (const text of ['greet', '@acme/greet', 'greet@', 'greet@latest'])
    assert.throws(() => parseVersionName(text), { code });
  assert.deepEqual(parseVersionName('@acme/greet@1.0.0-beta.1'), {
    name: '@acme/greet',
    version: '1.0.0-beta.1',
  });
});

test('a TypeScript plugin that breaks the types of its exports needs a major version', async (t) => {
  const folder = createRegistryFolder(t);
  const box =
    'export class Box { #items: string[] = []; private size = 1; count() { return this.#items.length + this.size; } }\n';
  await folder.publishVersion('greet.ts', '1.0.0', hello('hello') + box);
  const optional = 'export const hello = (name: string, isLoud = false): string => name + isLoud;\n';
  const { compared } = await folder.publishVersion('greet.ts', '1.1.0', optional + box);
  assert.deepEqual(compared, { version: '1.0.0', by: 'types', reason: null });
  const before = snapshot(folder.registry.versions);
  const needs = 'export const hello = (name: string, isLoud: boolean): string => name + isLoud;\n';
  await assert.rejects(folder.publishVersion('greet.ts', '1.2.0', needs), {
    code: breaking,
    message:
      /greet@1\.2\.0 breaks who uses 1\.1\.0: "Box" is gone; "hello" Type .*isLoud: boolean.*publish this as 2\.0\.0/s,
  });
  assert.deepEqual(snapshot(folder.registry.versions), before);
  assert.equal((await folder.publishVersion('greet.ts', '2.0.0', needs)).compared, null);
});

test('a JavaScript plugin that loses an export needs a major version, below 1.0.0 a minor one', async (t) => {
  const folder = createRegistryFolder(t);
  await folder.publishVersion('greet.js', '0.1.0', 'export const hello = () => 1, other = 2;');
  await assert.rejects(folder.publishVersion('greet.js', '0.1.1', 'export const hello = () => 1;'), {
    code: breaking,
    message: /"other" is gone; keep to it, or publish this as 0\.2\.0/,
  });
  await folder.publishVersion('greet.js', '0.2.0', 'export const hello = () => 1;');
  assert.deepEqual(listPlugins(folder.registry), [
    { name: 'greet', version: '0.2.0', versions: ['0.2.0', '0.1.0'] },
  ]);
});

test('a published version does not change: the same content is unchanged, another is refused', async (t) => {
  const folder = createRegistryFolder(t);
  const first = await folder.publishVersion('greet.ts', '1.0.0', hello('hello'));
  const before = snapshot(folder.registry.versions);
  const again = await folder.publishVersion('greet.ts', '1.0.0', hello('hello'));
  assert.deepEqual([again.result, again.digest], ['unchanged', first.digest]);
  await assert.rejects(folder.publishVersion('greet.ts', '1.0.0', hello('other')), {
    code: 'ERR_MIDFLIGHT_PLUGIN_PUBLISHED',
  });
  assert.deepEqual(snapshot(folder.registry.versions), before);
});

test('what says no version, two of them, no safe name, or can not be evaluated is not published', async (t) => {
  const folder = createRegistryFolder(t);
  const refused = async (text: string, error: object, options = {}): Promise<void> => {
    folder.write({ 'greet.ts': text });
    await assert.rejects(folder.publish('greet.ts', options), error);
    assert.deepEqual(listPlugins(folder.registry), []);
  };
  const code = 'ERR_MIDFLIGHT_PLUGIN_INVALID';
  await refused(hello('x'), { code, message: /says no version/ });
  const define = (definition: string): string =>
    `import { definePlugin } from 'midflight/plugin';\nexport default definePlugin(${definition});\n`;
  await refused(
    define(`{ version: '1.0.0' }`),
    { code, message: /two versions are said, 2\.0\.0 and 1\.0\.0/ },
    { version: '2.0.0' },
  );
  await refused(define(`{ version: '1.0.0', name: '../greet' }`), {
    code: 'ERR_MIDFLIGHT_PLUGIN_NAME_INVALID',
  });
  await refused(define(`{ version: '1.0.0', requires: { other: 'newest' } }`), {
    code,
    message: /no range of versions/,
  });
  await refused(`throw new Error('not today');`, { code, message: /not today/ }, { version: '1.0.0' });
  await refused(`process.exit(0);`, { code, message: /process\.exit/ }, { version: '1.0.0' });
  await refused(`await new Promise(() => {});`, { code, message: /never comes/ }, { version: '1.0.0' });
  await refused('export const hello = (', { code: 'ERR_MIDFLIGHT_SYNTAX' });
  await refused(
    `import '../elsewhere.ts';`,
    { code: 'ERR_MIDFLIGHT_MODULE_UNRESOLVED' },
    { version: '1.0.0' },
  );
});

test('use, rollback and unpublish move what is in use, and leave nothing in the store that nobody names', async (t) => {
  const folder = createRegistryFolder(t);
  const { registry } = folder;
  for (const version of ['1.0.0', '1.1.0', '1.2.0'])
    await folder.publishVersion('greet.ts', version, hello(version));
  await folder.publishVersion('greet.ts', '1.3.0', hello('1.3.0'), { isUsed: false });
  const inUse = (): string | undefined => readPointer(registry, 'greet')?.version;
  assert.equal(inUse(), '1.2.0');
  await usePlugin(registry, { name: 'greet', version: '1.3.0' });
  await rollBackPlugin(registry, 'greet');
  await rollBackPlugin(registry, 'greet');
  assert.equal(inUse(), '1.1.0');
  await rollBackPlugin(registry, 'greet');
  await assert.rejects(rollBackPlugin(registry, 'greet'), {
    code: 'ERR_MIDFLIGHT_PLUGIN_VERSION_UNKNOWN',
    message: /no version in use before 1\.0\.0/,
  });
  const unpublish = async (version: string, isForced = false): Promise<unknown> =>
    unpublishPlugin(registry, { name: 'greet', version }, { isForced });
  await assert.rejects(unpublish('1.0.0'), { code: 'ERR_MIDFLIGHT_PLUGIN_NEEDED', message: /it is in use/ });
  await folder.publishVersion('host.ts', '1.0.0', '', { requires: { greet: '~1.1.0' } });
  await assert.rejects(unpublish('1.1.0'), { message: /host@1\.0\.0 requires greet ~1\.1\.0/ });
  await assert.rejects(unpublish('4.0.0'), { code: 'ERR_MIDFLIGHT_PLUGIN_VERSION_UNKNOWN' });
  await assert.rejects(usePlugin(registry, { name: 'nobody', version: '1.0.0' }), {
    code: 'ERR_MIDFLIGHT_PLUGIN_UNKNOWN',
    message: /there are greet, host/,
  });
  const before = stored(folder).length;
  await unpublish('1.2.0');
  assert.ok(stored(folder).length < before);
  for (const version of ['1.3.0', '1.1.0', '1.0.0']) await unpublish(version, true);
  assert.equal(inUse(), undefined);
  await unpublishPlugin(registry, { name: 'host', version: '1.0.0' }, { isForced: true });
  assert.deepEqual([stored(folder), readdirSync(registry.versions)], [[], []]);
});

test('half of a registry is not a version: it is told of, and mended by publishing', async (t) => {
  const folder = createRegistryFolder(t);
  const { registry } = folder;
  await folder.publishVersion('greet.ts', '1.0.0', hello('hello'));
  await mkdir(path.join(registry.versions, 'greet/1.1.0/app'), { recursive: true });
  assert.deepEqual(listPlugins(registry)[0]?.versions, ['1.0.0']);
  assert.equal((await folder.publishVersion('greet.ts', '1.1.0', hello('more'))).result, 'published');
  writeFileSync(path.join(registry.pointers, 'greet.json'), '{"vers');
  assert.throws(() => listPlugins(registry), {
    code: 'ERR_MIDFLIGHT_PLUGIN_REGISTRY_INVALID',
    message: /plugin use greet@/,
  });
  await usePlugin(registry, { name: 'greet', version: '1.1.0' });
  for (const file of stored(folder)) writeFileSync(path.join(registry.store, file), '');
  const { problems = [] } = (await verifyPlugins(registry, 'greet'))[0] ?? {};
  assert.deepEqual(new Set(problems.map(({ kind }) => kind)), new Set(['altered']));
  await folder.publish('greet.ts');
  assert.deepEqual((await verifyPlugins(registry, 'greet'))[0]?.problems, []);
});

const publisher = (folder: RegistryFolder, killAt: string | null): readonly string[] => [
  '--input-type=module',
  '--eval',
  `const { publishPlugin } = await import(${JSON.stringify(path.join(repository, 'src/plugin/registry/publish.ts'))});
   const { toRegistry } = await import(${JSON.stringify(path.join(repository, 'src/plugin/registry/registry.ts'))});
   const published = await publishPlugin({
     registry: toRegistry(${JSON.stringify(folder.registry.directory)}), source: ${JSON.stringify(path.join(folder.directory, 'greet.js'))},
     keyFiles: [], isUsed: true,
     onStep: (step) => step === ${JSON.stringify(killAt)} && process.kill(process.pid, 'SIGKILL'),
   });
   console.log(published.result);`,
];

test('a publisher that is killed leaves nothing that is opened, and the next one cleans up', async (t) => {
  const folder = createRegistryFolder(t);
  const { registry } = folder;
  await folder.publishVersion('greet.js', '1.0.0', 'export const hello = () => 1;');
  const whole = stored(folder);
  const code = (value: number): string =>
    `import { definePlugin } from 'midflight/plugin';\nexport default definePlugin({ version: '1.1.0' });\nexport const hello = () => ${value};`;
  folder.write({ 'greet.js': code(2) });
  for (const step of ['evaluate', 'place', 'use']) {
    const { signal } = spawnSync(process.execPath, publisher(folder, step), { cwd: folder.directory });
    assert.equal(signal, 'SIGKILL');
    assert.equal(readPointer(registry, 'greet')?.version, '1.0.0', step);
    assert.equal((await folder.open('greet', {})).version, '1.0.0', step);
  }
  // It was placed, and is whole: publishing it again only puts it in use.
  const again = await folder.publish('greet.js');
  assert.deepEqual([again.result, again.inUse], ['unchanged', true]);
  await usePlugin(registry, { name: 'greet', version: '1.0.0' });
  await unpublishPlugin(registry, { name: 'greet', version: '1.1.0' }, { isForced: false });
  assert.deepEqual(
    [stored(folder), existsSync(registry.staging) && readdirSync(registry.staging).length > 0],
    [whole, false],
  );
});

test('two who publish at once both come to an end: one has published, the other finds it unchanged', async (t) => {
  const folder = createRegistryFolder(t);
  folder.write({
    'greet.js': `import { definePlugin } from 'midflight/plugin';\nexport default definePlugin({ version: '1.0.0' });`,
  });
  const results = [1, 2].map(async () => {
    const child = spawn(process.execPath, publisher(folder, null), {
      cwd: folder.directory,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [output] = await Promise.all([buffer(child.stdout), once(child, 'close')]);
    return output.toString().trim();
  });
  assert.deepEqual((await Promise.all(results)).toSorted(), ['published', 'unchanged']);
});

test('a package that npm packs is published as a folder is, with what it bundles, and its scripts are not run', async (t) => {
  const folder = createRegistryFolder(t);
  const description = {
    name: '@acme/greet',
    version: '1.0.0',
    type: 'module',
    exports: './lib/main.js',
    bundleDependencies: ['word'],
    dependencies: { word: '1.0.0' },
    scripts: { prepack: 'exit 1', prepare: 'exit 1' },
  };
  folder.write({
    'package/package.json': JSON.stringify(description),
    'package/lib/main.js': `import word from 'word';\nexport const hello = (name) => word + ' ' + name;`,
    'package/node_modules/word/package.json': '{ "name": "word", "version": "1.0.0", "main": "word.js" }',
    'package/node_modules/word/word.js': `module.exports = 'hello';`,
  });
  const packed = path.join(folder.directory, 'package');
  await folder.publish(`npm:${packed}`);
  const plugin = await folder.open('@acme/greet');
  assert.equal(
    plugin.lookup('hello', { kind: 'function', args: null, result: null })('Ada' as never),
    'hello Ada',
  );
  const info = await describePlugin(folder.registry, '@acme/greet');
  assert.deepEqual((info.versions[0] as { exports: object }).exports, {
    hello: { kind: 'function', arity: 1 },
  });
  await assert.rejects(folder.publish(`npm:${path.join(folder.directory, 'nothing-here')}`), {
    code: 'ERR_MIDFLIGHT_PLUGIN_FETCH_FAILED',
  });
});

test('a tarball that would write elsewhere, or has links in it, is refused', async (t) => {
  const { directory } = createRegistryFolder(t);
  const code = 'ERR_MIDFLIGHT_PLUGIN_INVALID';
  const refused = async (name: string, type: 'file' | 'symlink', message: RegExp): Promise<void> => {
    const file = path.join(directory, 'x.tgz');
    const header = { name, type, size: 1, ...(type === 'symlink' ? { linkname: '/etc', size: 0 } : {}) };
    const entry = { header, ...(type === 'file' ? { body: 'x' } : {}) };
    writeFileSync(file, gzipSync(await packTar([entry])));
    await assert.rejects(unpackPackage('x', file, path.join(directory, 'out')), { code, message }, name);
  };
  await refused('package/../x', 'file', /would be outside of the package/);
  await refused('package/a\\..\\b', 'file', /would be outside of the package/);
  await refused('package/etc', 'symlink', /is a link/);
  writeFileSync(path.join(directory, 'y.tgz'), 'no tarball');
  await assert.rejects(unpackPackage('x', path.join(directory, 'y.tgz'), path.join(directory, 'out')), {
    code,
    message: /can't be unpacked/,
  });
});

test('what changes its own files when it is evaluated is not published, and what it posts to its thread is nothing', async (t) => {
  const folder = createRegistryFolder(t);
  const code = `import { writeFileSync } from 'node:fs';
    import { parentPort } from 'node:worker_threads';
    parentPort?.postMessage('ready');
    writeFileSync(import.meta.dirname + '/cache.txt', '1');
    export const hello = () => 'hello';`;
  await assert.rejects(folder.publishVersion('greet.js', '1.0.0', code), {
    code: 'ERR_MIDFLIGHT_PLUGIN_INVALID',
    message: /changes its own files when it is evaluated: cache\.txt is unexpected/,
  });
  assert.equal(existsSync(path.join(folder.registry.versions, 'greet')), false);
});
