import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { compileModules } from '../../src/release/compile-modules.ts';
import { change, compile, createApp } from '../runtime/module-graph-fixture.ts';

test('requests lead to modules, packages, builtins, Midflight or nowhere', async (t) => {
  const app = createApp(t, {
    'main.js': `import './a.js'; import 'dep'; import 'fs'; import 'midflight'; import 'midflight/ws'; import '@app/lib'; import('./not-there.js'); import 'node:test';`,
    'a.ts': `export {}`,
    'node_modules/dep/index.js': '',
    'packages/lib/package.json': '{"type":"module","main":"./index.ts"}',
    'packages/lib/index.ts': 'export const a: number = 1;',
  });
  mkdirSync(path.join(app.root, 'node_modules/@app'));
  symlinkSync('../../packages/lib', path.join(app.root, 'node_modules/@app/lib'));
  const { modules, problems } = await compile(app);
  const targets = modules.get('main.js')?.requests.map(({ target }) => target) ?? [];
  assert.deepEqual(targets.slice(0, 5), [
    { kind: 'module', path: 'a.ts' },
    { kind: 'external', path: 'node_modules/dep/index.js' },
    { kind: 'builtin', name: 'node:fs' },
    { kind: 'midflight', subpath: '' },
    { kind: 'midflight', subpath: 'ws' },
  ]);
  assert.deepEqual(targets[5], { kind: 'module', path: 'packages/lib/index.ts' });
  assert.deepEqual(
    [targets[6]?.kind, targets[7]],
    ['builtin', { kind: 'missing', reason: (targets[7] as { reason: string }).reason }],
  );
  assert.deepEqual(problems, []);
  assert.deepEqual([...modules.keys()], ['a.ts', 'main.js', 'packages/lib/index.ts']);
});

test('a linked node_modules and a linked root give the same paths', async (t) => {
  const app = createApp(t, { 'main.js': `import 'dep'; import './a.js';`, 'a.js': '' });
  const elsewhere = createApp(t, { 'node_modules/dep/index.js': '' });
  symlinkSync(path.join(elsewhere.root, 'node_modules'), path.join(app.root, 'node_modules'));
  const link = `${app.root}-link`;
  symlinkSync(app.root, link);
  t.after(() => rmSync(link));
  const { modules } = await compileModules({ root: link, entry: 'main.js', writeCompiled: () => {} });
  assert.deepEqual(
    modules.get('main.js')?.requests.map(({ target }) => target),
    [
      { kind: 'external', path: 'node_modules/dep/index.js' },
      { kind: 'module', path: 'a.js' },
    ],
  );
});

test('what can not be linked is a problem, not an error', async (t) => {
  const app = createApp(t, {
    'main.js': `import { a, nope } from './a.js'; import './not-there.js'; import { x } from './c.cjs'; import { f } from 'node:fs'; import('./lazy.js'); export { two } from './stars.js'; import j, { k } from './j.json' with { type: 'json' };`,
    'a.js': `export const a = 1;`,
    'stars.js': `export * from './s1.js'; export * from './s2.js';`,
    's1.js': `export const two = 1;`,
    's2.js': `export const two = 1;`,
    'c.cjs': `exports.y = 1;`,
    'lazy.js': `import 'dev-only';`,
    'j.json': `{}`,
  });
  const { problems } = await compile(app);
  assert.deepEqual(
    problems.map(({ code, details }) => [code, ...details.slice(0, 2)]),
    [
      ['ERR_MIDFLIGHT_MODULE_UNRESOLVED', 'main.js', './not-there.js'],
      ['ERR_MIDFLIGHT_EXPORT_MISSING', 'main.js', 'nope'],
      ['ERR_MIDFLIGHT_EXPORT_MISSING', 'main.js', 'x'],
      ['ERR_MIDFLIGHT_EXPORT_MISSING', 'main.js', 'k'],
      ['ERR_MIDFLIGHT_EXPORT_AMBIGUOUS', 'main.js', 'two'],
    ],
  );
});

test('a computed request takes the whole tree in, but for what can not be parsed', async (t) => {
  const app = createApp(t, {
    'main.js': `export const load = (name) => import('./plugins/' + name);`,
    'plugins/a.js': ``,
    'plugins/b.ts': ``,
    'plugins/broken.js': `not js`,
    'plugins/types.d.ts': ``,
    '.hidden/c.js': ``,
    'node_modules/dep/index.js': ``,
  });
  const { modules } = await compile(app);
  assert.deepEqual([...modules.keys()], ['main.js', 'plugins/a.js', 'plugins/b.ts']);
});

test('a syntax error of an imported file is thrown', async (t) => {
  const app = createApp(t, { 'main.js': `import './a.js';`, 'a.js': `not js` });
  await assert.rejects(compile(app), { code: 'ERR_MIDFLIGHT_SYNTAX' });
});

test('the same code has the same hash, wherever and whenever it is built', async (t) => {
  const files = { 'main.js': `import './a.js';`, 'a.js': `export const a = 1;` };
  const [one, two] = [createApp(t, files), createApp(t, files)];
  assert.deepEqual((await compile(one)).modules, (await compile(two)).modules);
  change(two, { 'a.js': 'export const a = 2;' });
  const [first, second] = [(await compile(one)).modules, (await compile(two)).modules];
  assert.equal(first.get('main.js')?.hash, second.get('main.js')?.hash);
  assert.notEqual(first.get('a.js')?.hash, second.get('a.js')?.hash);
});

test('an unchanged file comes from the cache', async (t) => {
  const app = createApp(t, { 'main.js': `import './a.js';`, 'a.js': `export const a = 1;` });
  const cacheDirectory = path.join(app.root, '.cache');
  const build = async (): Promise<unknown> =>
    (await compileModules({ root: app.root, entry: app.entry, cacheDirectory, writeCompiled: () => {} }))
      .modules;
  const first = await build();
  assert.deepEqual(await build(), first);
  assert.equal(readdirSync(cacheDirectory).length, 2);
  change(app, { 'a.js': 'export const a = 2;' });
  await build();
  assert.equal(readdirSync(cacheDirectory).length, 3);
});
