/** A folder of plugins that is changed while they are called. */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { fn, watchPlugins, type PluginSet, type WatchEvents } from '../../src/plugin.ts';
import { createPluginFolder, type PluginFolder } from './plugin-folder.ts';

const contracts = { hello: fn<(name: string) => string>() };
const greet = (word: string): string =>
  `export const hello = (name: string): string => \`${word} \${name}\`;\n`;

interface Watched extends PluginFolder {
  readonly plugins: PluginSet<typeof contracts>;
  /** The next event of that kind after those that were taken. */
  next<Event extends keyof WatchEvents>(event: Event): Promise<WatchEvents[Event][0]>;
}

async function watch(t: TestContext, files: Readonly<Record<string, string>>): Promise<Watched> {
  const folder = createPluginFolder(t, files);
  const plugins = await watchPlugins(folder.directory, contracts);
  t.after(() => plugins.close());
  const heard = new Map<string, unknown[]>();
  const waiting = new Map<string, () => void>();
  for (const event of ['added', 'removed', 'swap', 'rejected', 'rolled-back'] as const) {
    heard.set(event, []);
    plugins.on(event, (value) => {
      heard.get(event)?.push(value);
      waiting.get(event)?.();
    });
  }
  return {
    ...folder,
    plugins,
    async next(event) {
      const queue = heard.get(event) ?? [];
      if (queue.length === 0) await new Promise<void>((resolve) => waiting.set(event, resolve));
      waiting.delete(event);
      return queue.shift() as never;
    },
  };
}

const say = (plugins: Watched['plugins'], name: string): string | undefined =>
  plugins.get(name)?.exports.hello('Ada');

test('a new file is a plugin, a changed one another version, and one that is gone is none', async (t) => {
  const { plugins, next, write, remove } = await watch(t, {
    'hello.ts': greet('hello'),
    '_lib/word.ts': 'export {};\n',
  });
  assert.deepEqual(
    [...plugins].map(({ name }) => name),
    ['hello'],
  );
  write({ 'bye.ts': greet('bye') });
  assert.equal((await next('added')).name, 'bye');
  assert.equal(say(plugins, 'bye'), 'bye Ada');
  const { hello } = plugins.get('hello')?.exports ?? assert.fail();
  write({ 'hello.ts': greet('hallo') });
  assert.equal((await next('swap')).name, 'hello');
  assert.equal(hello('Ada'), 'hallo Ada');
  remove('bye.ts');
  assert.equal((await next('removed')).name, 'bye');
  assert.equal(plugins.get('bye'), undefined);
});

test('a folder is a plugin, with all of its modules and its package.json', async (t) => {
  const { plugins, next, write } = await watch(t, {
    'hello/package.json': '{ "version": "1.0.0" }',
    'hello/index.ts': `import { word } from './word.ts';\nexport const hello = (name: string): string => word + ' ' + name;\n`,
    'hello/word.ts': `export const word: string = 'one';\n`,
  });
  assert.deepEqual([say(plugins, 'hello'), plugins.get('hello')?.version], ['one Ada', '1.0.0']);
  write({ 'hello/word.ts': `export const word: string = 'two';\n` });
  await next('swap');
  assert.equal(say(plugins, 'hello'), 'two Ada');
});

test('what changes together is let in together, or not at all', async (t) => {
  const { plugins, next, write, directory } = await watch(t, { 'a.ts': greet('a1'), 'b.ts': greet('b1') });
  const seen = new Set<string>();
  plugins.on('swap', () => seen.add(`${say(plugins, 'a')}, ${say(plugins, 'b')}`));
  write({ 'a.ts': greet('a2'), 'b.ts': 'export const hello = 2;\n' });
  const problem = await next('rejected');
  assert.deepEqual(
    [problem.name, (problem.error as { code?: string }).code],
    ['b', 'ERR_MIDFLIGHT_PLUGIN_MISMATCH'],
  );
  assert.equal(say(plugins, 'b'), 'b1 Ada');
  // What was refused keeps nothing else from changing.
  await next('swap');
  assert.equal(say(plugins, 'a'), 'a2 Ada');
  seen.clear();
  const beside = mkdtempSync(path.join(tmpdir(), 'midflight-plugins-beside-'));
  t.after(() => rmSync(beside, { recursive: true }));
  for (const name of ['a', 'b']) {
    writeFileSync(path.join(beside, name), greet(`${name}3`));
    renameSync(path.join(beside, name), path.join(directory, `${name}.ts`));
  }
  await next('swap');
  while (say(plugins, 'a') !== 'a3 Ada' || say(plugins, 'b') !== 'b3 Ada') await next('swap');
});

test('a file that is written in pieces is refused only where it stays like that', async (t) => {
  const { plugins, next, write } = await watch(t, { 'hello.ts': greet('one') });
  const whole = greet('two');
  for (let length = 1; length < whole.length; length += 7) {
    write({ 'hello.ts': whole.slice(0, length) });
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  write({ 'hello.ts': whole });
  while (say(plugins, 'hello') !== 'two Ada') await next('swap');
  write({ 'hello.ts': whole.slice(0, 40) });
  assert.equal(((await next('rejected')).error as { code?: string }).code, 'ERR_MIDFLIGHT_SYNTAX');
  assert.equal(say(plugins, 'hello'), 'two Ada');
  write({ 'hello.ts': greet('three') });
  while (say(plugins, 'hello') !== 'three Ada') await next('swap');
});

test('a file that is removed and written anew is another version of the same plugin', async (t) => {
  const counting = (word: string): string =>
    `import { state } from 'midflight';\nconst seen = state('seen', () => ({ n: 0 }));\nexport const hello = () => '${word} ' + ++seen.n;\n`;
  const { plugins, next, write, remove } = await watch(t, { 'hello.ts': counting('one') });
  assert.equal(say(plugins, 'hello'), 'one 1');
  for (const [index, word] of ['two', 'three', 'four'].entries()) {
    remove('hello.ts');
    // So that the removal is seen alone.
    await new Promise((resolve) => setTimeout(resolve, 20));
    write({ 'hello.ts': counting(word) });
    await next('swap');
    assert.equal(say(plugins, 'hello'), `${word} ${index + 2}`);
  }
});

test('a plugin that is bad from the start is left out and told, and is let in when it is mended', async (t) => {
  const { plugins, next, write } = await watch(t, {
    'good.ts': greet('good'),
    'bad.ts': 'export const hello = ;\n',
  });
  assert.equal((await next('rejected')).name, 'bad');
  assert.deepEqual(
    [...plugins].map(({ name }) => name),
    ['good'],
  );
  write({ 'bad.ts': greet('mended') });
  assert.equal((await next('added')).name, 'bad');
  assert.equal(say(plugins, 'bad'), 'mended Ada');
});

test('a migration that fails takes back what was let in with it', async (t) => {
  const counted = (options: string): string =>
    `import { state } from 'midflight';\nstate('n', () => ({ n: 1 })${options});\n${greet(options === '' ? 'b1' : 'b2')}`;
  const { plugins, next, write } = await watch(t, { 'a.ts': greet('a1'), 'b.ts': counted('') });
  // It is tried while preparing, and done again at commit.
  const twice = `, { version: 1, migrate: () => { globalThis.migrations = (globalThis.migrations ?? 0) + 1; if (globalThis.migrations % 2 === 0) throw new Error('no way up'); return { n: 2 }; } }`;
  write({ 'a.ts': greet('a2'), 'b.ts': counted(twice) });
  const problem = await next('rejected');
  assert.equal(problem.name, 'b');
  assert.match(problem.error.message, /no way up/);
  while (say(plugins, 'a') !== 'a2 Ada') await next('swap');
  assert.equal(say(plugins, 'b'), 'b1 Ada');
});

test('where there is no folder that is said', async () => {
  await assert.rejects(watchPlugins('/nowhere/at/all', {}), {
    code: 'ERR_MIDFLIGHT_PLUGIN_UNKNOWN',
    message: /no plugin "all" in \/nowhere\/at; there is no such folder/,
  });
});

test('a folder that is copied slowly is a plugin as soon as it is whole', async (t) => {
  const { plugins, next, write, directory } = await watch(t, {});
  mkdirSync(path.join(directory, 'slow'));
  assert.match((await next('rejected')).error.message, /no index\.ts or index\.js/);
  write({ 'slow/index.ts': `export { hello } from './lib/deep/hello.ts';\n` });
  assert.match((await next('rejected')).error.message, /lib\/deep\/hello\.ts/);
  write({ 'slow/lib/deep/hello.ts': greet('hello') });
  assert.equal((await next('added')).name, 'slow');
  assert.equal(say(plugins, 'slow'), 'hello Ada');
});

test('a folder that can not be listed any more keeps what is open, and ends nothing', async (t) => {
  const { plugins, write, directory, next } = await watch(t, { 'hello.ts': greet('hello') });
  const error = t.mock.method(console, 'error', () => undefined);
  renameSync(directory, `${directory}-away`);
  writeFileSync(directory, '');
  while (error.mock.callCount() === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(say(plugins, 'hello'), 'hello Ada');
  rmSync(directory);
  renameSync(`${directory}-away`, directory);
  write({ 'hello.ts': greet('back') });
  await next('swap');
  assert.equal(say(plugins, 'hello'), 'back Ada');
});

test('a file that gets another extension is another plugin of the same name', async (t) => {
  const { plugins, next, write, directory } = await watch(t, { 'hello.ts': greet('typed') });
  renameSync(path.join(directory, 'hello.ts'), path.join(directory, 'hello.js'));
  write({ 'hello.js': `export const hello = (name) => 'plain ' + name;` });
  assert.equal((await next('removed')).name, 'hello');
  assert.equal((await next('added')).name, 'hello');
  assert.equal(say(plugins, 'hello'), 'plain Ada');
  write({
    'hello.cjs': `exports.hello = () => 'another';`,
    'hello.js': `export const hello = (name) => 'plainer ' + name;`,
  });
  await next('swap');
  assert.equal(say(plugins, 'hello'), 'plainer Ada');
});

test('a folder with a package.json that is none is told, and let in when it is mended; so is one that is linked', async (t) => {
  const { plugins, next, write, directory } = await watch(t, { '_there/index.ts': greet('linked') });
  write({ 'pack/package.json': '{', 'pack/index.ts': greet('packed') });
  const { name, error } = await next('rejected');
  assert.equal(name, 'pack');
  assert.equal((error as { code?: string }).code, 'ERR_MIDFLIGHT_PLUGIN_INVALID');
  assert.match(error.message, /its package\.json can't be read/);
  write({ 'pack/package.json': '{}' });
  await next('added');
  assert.equal(say(plugins, 'pack'), 'packed Ada');
  symlinkSync(path.join(directory, '_there'), path.join(directory, 'link'));
  await next('added');
  assert.equal(say(plugins, 'link'), 'linked Ada');
});
