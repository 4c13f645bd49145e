/** Boundaries of `import.meta.hot` in graphs of every shape. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runApp } from './runtime-fixture.ts';

const accept = 'import.meta.hot.accept();';
const value = (name: string, version: number | string): string =>
  `export const ${name} = '${name}${version}'; log('${name}${version}'); ${accept}`;

test('several boundaries in one swap, one of which imports another', async (t) => {
  const b = (version: number): string =>
    `import { a } from './a.mjs'; export const b = 'b${version}'; export const both = () => a + b; export const early = a; log('b${version}'); ${accept}`;
  const app = await runApp(t, {
    'main.mjs': `import { a } from './a.mjs'; import { b, both, early } from './b.mjs'; import { c } from './c.mjs'; log('main');
      export const seen = () => [a, b, both(), early, c];`,
    'a.mjs': value('a', 1),
    'b.mjs': b(1),
    'c.mjs': value('c', 1),
  });
  app.log();
  await app.swap({ 'a.mjs': value('a', 2), 'b.mjs': b(2), 'c.mjs': value('c', 2) });
  assert.deepEqual(app.log(), ['a2', 'b2', 'c2']);
  assert.deepEqual(app.main['seen'](), ['a2', 'b2', 'a2b2', 'a2', 'c2']);
  await app.swap({ 'a.mjs': value('a', 3) });
  assert.deepEqual(app.log(), ['a3']);
  assert.deepEqual(app.main['seen'](), ['a3', 'b2', 'a3b2', 'a2', 'c2']);
});

test('a cycle with a boundary in it', async (t) => {
  const a = (version: number): string =>
    `import { b, readB } from './b.mjs'; export const a = 'a${version}'; export function readA() { return a; } export const through = () => readB(); log('a${version}'); ${accept}`;
  const app = await runApp(t, {
    'main.mjs': `import { a, through } from './a.mjs'; import { b, readB } from './b.mjs'; export const seen = () => [a, through(), b, readB()];`,
    'a.mjs': a(1),
    'b.mjs': `import { a, readA } from './a.mjs'; export const b = 'b'; export const readB = () => a + readA(); log('b');`,
  });
  app.log();
  await app.swap({ 'a.mjs': a(2) });
  assert.deepEqual(app.log(), ['a2']);
  assert.deepEqual(app.main['seen'](), ['a2', 'a2a2', 'b', 'a2a2']);
  await app.runtime.rollback();
  assert.deepEqual(app.main['seen'](), ['a1', 'a1a1', 'b', 'a1a1']);
});

test('a change of what a boundary in a cycle imports goes as far as the boundary', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { a } from './a.mjs'; log('main'); export const seen = () => a;`,
    'a.mjs': `import { b } from './b.mjs'; export const a = 'a'; log('a'); ${accept}`,
    'b.mjs': `import { a } from './a.mjs'; export const b = 'b1'; export const read = () => a; log('b1');`,
  });
  app.log();
  const { plan } = await app.swap({
    'b.mjs': `import { a } from './a.mjs'; export const b = 'b2'; export const read = () => a; log('b2');`,
  });
  assert.deepEqual(app.log(), ['b2', 'a']);
  assert.deepEqual(
    plan.modules.map(({ path }) => path),
    ['a.mjs', 'b.mjs'],
  );
});

const chain = {
  'renamed.mjs': `export { value as other } from './a.mjs'; log('renamed');`,
  'star.mjs': `export * from './a.mjs'; log('star');`,
  'deep.mjs': `export * from './star.mjs'; export { other } from './renamed.mjs'; log('deep');`,
  'space.mjs': `export * as a from './a.mjs'; log('space');`,
};
const read = (version: number): string =>
  `export let value = ${version}; export const object = { version: ${version} }; export function f() { return ${version}; } export default ${version}; ${accept}`;

test('re-export chains, namespaces, import() and require lead to the new version', async (t) => {
  const app = await runApp(t, {
    ...chain,
    'main.mjs': `
      import { value, other, object } from './deep.mjs';
      import * as deep from './deep.mjs';
      import { a } from './space.mjs';
      import * as space from './space.mjs';
      import standard, * as whole from './a.mjs';
      import { load } from './common.cjs';
      export const seen = async () => [value, other, object.version, deep.value, deep.other, deep['val' + 'ue'], a.value,
        space.a.value, { ...space }.a.value, whole.value, { ...whole }.value, standard, (await import('./a.mjs')).value, (await import('./' + 'a.mjs')).value, load().value, { ...deep }.value];
      log('main');`,
    'common.cjs': `exports.load = () => require('./a.mjs');`,
    'a.mjs': read(1),
  });
  app.log();
  assert.deepEqual(await app.main['seen'](), Array(16).fill(1));
  await app.swap({ 'a.mjs': read(2) });
  assert.deepEqual(app.log(), []);
  assert.deepEqual(await app.main['seen'](), Array(16).fill(2));
  await app.swap({ 'a.mjs': read(3) });
  assert.deepEqual(await app.main['seen'](), Array(16).fill(3));
  await app.runtime.rollback();
  assert.deepEqual(await app.main['seen'](), Array(16).fill(2));
});

test('three swaps, two rollbacks and a swap', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { value, f } from './a.mjs'; export const seen = () => [value, f()]; log('main');`,
    'a.mjs': read(1),
  });
  for (const version of [2, 3, 4]) {
    await app.swap({ 'a.mjs': read(version) });
    assert.deepEqual(app.main['seen'](), [version, version]);
  }
  for (const version of [3, 2]) {
    await app.runtime.rollback();
    assert.deepEqual(app.main['seen'](), [version, version]);
  }
  await app.swap({ 'a.mjs': read(5) });
  assert.deepEqual(app.main['seen'](), [5, 5]);
  await app.runtime.rollback();
  assert.deepEqual(app.main['seen'](), [2, 2]);
  assert.deepEqual(app.log(), ['main']);
});

test('a rollback undoes the last swap only', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { a } from './a.mjs'; import { b } from './b.mjs'; export const seen = () => [a, b];`,
    'a.mjs': value('a', 1),
    'b.mjs': value('b', 1),
  });
  await app.swap({ 'a.mjs': value('a', 2) });
  await app.swap({ 'b.mjs': value('b', 2) });
  app.log();
  await app.runtime.rollback();
  assert.deepEqual(app.log(), ['b1']);
  assert.deepEqual(app.main['seen'](), ['a2', 'b1']);
});

test('an edit after a rollback is compared with what runs', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { a } from './a.mjs'; import { b } from './b.mjs'; export const seen = () => [a, b];`,
    'a.mjs': value('a', 1),
    'b.mjs': value('b', 1),
  });
  await app.swap({ 'a.mjs': value('a', 2) });
  await app.runtime.rollback();
  assert.deepEqual(app.main['seen'](), ['a1', 'b1']);
  app.log();
  await app.swap({ 'b.mjs': value('b', 2) });
  assert.deepEqual(app.main['seen'](), ['a2', 'b2']);
});

test('an export that is new is there for an importer that changes with it', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { user } from './user.mjs'; export const seen = () => user(); log('main');`,
    'user.mjs': `import { one } from './barrel.mjs'; import * as all from './barrel.mjs'; export const user = () => [one, Object.keys(all)]; ${accept}`,
    'barrel.mjs': `export * from './a.mjs';`,
    'a.mjs': `export const one = 1; ${accept}`,
  });
  assert.deepEqual(app.main['seen'](), [1, ['one']]);
  await app.swap({
    'user.mjs': `import { one, two } from './barrel.mjs'; import * as all from './barrel.mjs'; log(all.two); export const user = () => [one, two, Object.keys(all)]; ${accept}`,
    'a.mjs': `export const one = 11; export const two = 22; ${accept}`,
  });
  assert.deepEqual(app.main['seen'](), [11, 22, ['one', 'two']]);
  assert.deepEqual(app.log(), ['main', 22]);
});

test('what a boundary imports by way of a module that stays is evaluated before it, whatever their names', async (t) => {
  const files = (version: number): Record<string, string> => ({
    'a.mjs': `import { b } from './barrel.mjs'; export const a = 'a' + b; log(a); ${accept}`,
    'y.mjs': `import { c } from './star.mjs'; export const b = 'b${version}' + c; log(b); ${accept}`,
    'z.mjs': `export const c = 'c${version}'; log(c); ${accept}`,
  });
  const app = await runApp(t, {
    'main.mjs': `import { a } from './a.mjs'; export const seen = () => a;`,
    'barrel.mjs': `export * from './y.mjs';`,
    'star.mjs': `export * from './z.mjs';`,
    ...files(1),
  });
  app.log();
  await app.swap({ ...files(2), 'a.mjs': `${files(2)['a.mjs']} log;` });
  assert.deepEqual(app.log(), ['c2', 'b2c2', 'ab2c2']);
  assert.equal(app.main['seen'](), 'ab2c2');
});

test('a boundary becomes a plain module and a boundary again', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { value } from './a.mjs'; export const seen = () => value; globalThis.seen = seen; log('main');`,
    'a.mjs': `export const value = 1; ${accept}`,
  });
  const seen = (): unknown => (globalThis as unknown as { seen: () => unknown }).seen();
  await app.swap({ 'a.mjs': `export const value = 2;` });
  assert.deepEqual([seen(), app.log()], [2, ['main', 'main']]);
  await app.swap({ 'a.mjs': `export const value = 3; ${accept}` });
  assert.deepEqual([seen(), app.log()], [3, ['main']]);
  await app.swap({ 'a.mjs': `export const value = 4; ${accept}` });
  assert.deepEqual([seen(), app.log()], [4, []]);
  await app.runtime.rollback();
  assert.deepEqual([seen(), app.log()], [3, []]);
  await app.runtime.rollback();
  assert.deepEqual([seen(), app.log()], [2, ['main']]);
});

test('an importer that accepts a boundary stays, as does the boundary', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { a } from './a.mjs'; export const seen = () => a; log('main'); import.meta.hot.accept('./a.mjs', () => log('callback'));`,
    'a.mjs': value('a', 1),
  });
  app.log();
  await app.swap({ 'a.mjs': value('a', 2) });
  assert.deepEqual(app.log(), ['a2']);
  assert.equal(app.main['seen'](), 'a2');
});

test('who imports what a re-exporting module has accepted is led to the new version', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { name } from './barrel.mjs'; export const seen = () => name; log('main');`,
    'barrel.mjs': `export * from './dep.mjs'; import.meta.hot.accept('./dep.mjs', (dep) => log('accepted ' + dep.name));`,
    'dep.mjs': `export const name = 'one';`,
  });
  await app.swap({ 'dep.mjs': `export const name = 'two';` });
  assert.deepEqual(app.log(), ['main', 'accepted two']);
  assert.equal(app.main['seen'](), 'two');
  await app.swap({ 'dep.mjs': `export const name = 'three';` });
  assert.equal(app.main['seen'](), 'three');
  await app.runtime.rollback();
  assert.equal(app.main['seen'](), 'two');
});

test('accept(dependencies) of what the dependencies import keeps the importer', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { name } from './dep.mjs'; export const seen = () => name; log('main'); import.meta.hot.accept('./dep.mjs');`,
    'dep.mjs': `import { leaf } from './leaf.mjs'; export const name = 'dep ' + leaf;`,
    'leaf.mjs': `export const leaf = 'one';`,
  });
  await app.swap({ 'leaf.mjs': `export const leaf = 'two';` });
  assert.deepEqual([app.main['seen'](), app.log()], ['dep two', ['main']]);
  await app.swap({ 'leaf.mjs': `export const leaf = 'three';` });
  assert.deepEqual([app.main['seen'](), app.log()], ['dep three', []]);
  await app.runtime.rollback();
  assert.deepEqual([app.main['seen'](), app.log()], ['dep two', []]);
});

test('a dependency that is no longer imported, and its file, may go', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { seen } from './user.mjs'; export { seen }; globalThis.seen = () => seen();`,
    'user.mjs': `import { a } from './a.mjs'; export const seen = () => a; ${accept} import.meta.hot.accept('./a.mjs');`,
    'a.mjs': value('a', 1),
  });
  const seen = (): unknown => (globalThis as unknown as { seen: () => unknown }).seen();
  app.log();
  await app.swap({ 'user.mjs': `export const seen = () => 'none'; ${accept}`, 'a.mjs': null });
  assert.deepEqual([seen(), app.log()], ['none', []]);
  await app.swap({
    'user.mjs': `import { a } from './a.mjs'; export const seen = () => a; ${accept}`,
    'a.mjs': value('a', 2),
  });
  assert.deepEqual([seen(), app.log()], ['a2', ['a2']]);
  await app.swap({ 'a.mjs': value('a', 3) });
  assert.deepEqual([seen(), app.log()], ['a3', ['a3']]);
  await app.swap({
    'user.mjs': `import { a } from './moved.mjs'; export const seen = () => a; ${accept}`,
    'a.mjs': null,
    'moved.mjs': value('a', 4),
  });
  assert.deepEqual([seen(), app.log()], ['a4', ['a4']]);
  await app.runtime.rollback();
  assert.deepEqual([seen(), app.log()], ['a3', ['a3']]);
});

test('top-level await in a boundary, and in what it imports', async (t) => {
  const a = (version: number): string =>
    `import { w } from './w.mjs'; export const a = await Promise.resolve('a${version}' + w); log('a${version}'); ${accept}`;
  const app = await runApp(t, {
    'main.mjs': `import { a } from './a.mjs'; export const seen = () => a;`,
    'a.mjs': a(1),
    'w.mjs': `export const w = await Promise.resolve('w1'); ${accept}`,
  });
  app.log();
  const prepared = await app.prepare({
    'a.mjs': a(2),
    'w.mjs': `export const w = await Promise.resolve('w2'); ${accept}`,
  });
  assert.deepEqual([app.main['seen'](), app.log()], ['a1w1', ['a2']]);
  await prepared.commit();
  assert.equal(app.main['seen'](), 'a2w2');
});

test('when one boundary throws after another was evaluated, nothing has changed', async (t) => {
  const cls = (version: number): string =>
    `export class A { v() { return ${version}; } only${version}() {} } export function f() { return ${version}; } export let x = ${version}; ${accept}`;
  const app = await runApp(t, {
    'main.mjs': `import { A, f, x } from './a.mjs'; import { b } from './b.mjs'; export const living = new A(); export const seen = () => [living.v(), new A().v(), f(), x, b, Reflect.ownKeys(A.prototype)];`,
    'a.mjs': cls(1),
    'b.mjs': value('b', 1),
  });
  const before = app.main['seen']();
  for (let round = 0; round < 3; round += 1) {
    await assert.rejects(
      app.prepare({ 'a.mjs': cls(2), 'b.mjs': `${value('b', 2)} throw new Error('no');` }),
      /no/,
    );
    assert.deepEqual(app.main['seen'](), before);
    await assert.rejects(
      app.prepare({ 'a.mjs': cls(2), 'b.mjs': `await null; ${value('b', 2)} throw new Error('no');` }),
      /no/,
    );
    assert.deepEqual(app.main['seen'](), before);
  }
  await app.swap({ 'b.mjs': value('b', 3) });
  assert.deepEqual(app.main['seen'](), [2, 2, 2, 2, 'b3', ['constructor', 'v', 'only2']]);
});

test('a state that can not be migrated leaves a boundary as it was', async (t) => {
  const a = (version: number, migrate: string): string =>
    `import { state } from 'midflight'; export const s = state('counter', () => ({ version: ${version} }), { version: ${version}, migrate: ${migrate} }); export class A { v() { return ${version}; } } ${accept}`;
  const app = await runApp(t, {
    'main.mjs': `import { A, s } from './a.mjs'; export const living = new A(); export const seen = () => [living.v(), s.version];`,
    'a.mjs': a(1, 'undefined'),
  });
  const bad = app
    .prepare({ 'a.mjs': a(2, `{ 1: () => { throw new Error('cannot'); } }`) })
    .then((prepared) => prepared.commit());
  await assert.rejects(bad);
  assert.deepEqual(app.main['seen'](), [1, 1]);
});

test('two modules that invalidate each other come to an end', { timeout: 60_000 }, async (t) => {
  const side = (name: string, version: number): string =>
    `export const ${name} = ${version}; log('${name}${version}'); import.meta.hot.accept(() => import.meta.hot.invalidate());`;
  const app = await runApp(t, {
    'main.mjs': `import { a } from './a.mjs'; import { b } from './b.mjs'; log('main'); globalThis.seen = () => [a, b];`,
    'a.mjs': side('a', 1),
    'b.mjs': side('b', 1),
  });
  app.log();
  await app.swap({ 'a.mjs': side('a', 2), 'b.mjs': side('b', 2) });
  assert.deepEqual((globalThis as unknown as { seen: () => unknown }).seen(), [2, 2]);
  assert.deepEqual(app.log().at(-1), 'main');
});

test('what a dropped version leaves in its data does not reach the version that stays', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { data } from './a.mjs'; export const seen = () => ({ ...data() });`,
    'a.mjs': `export const data = () => import.meta.hot.data; import.meta.hot.data.own = 1; import.meta.hot.dispose((data) => { data.by = 1; }); ${accept}`,
  });
  const next = `export const data = () => import.meta.hot.data; import.meta.hot.data.own = 2; import.meta.hot.dispose((data) => { data.by = 2; }); ${accept}`;
  const prepared = await app.prepare({ 'a.mjs': next });
  prepared.abort();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(app.main['seen'](), { own: 1 });
  await app.swap({ 'a.mjs': next });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(app.main['seen'](), { own: 2, by: 1 });
});

test('dispose callbacks that throw do not keep the others from their turn', async (t) => {
  const a = (version: number): string =>
    `import.meta.hot.dispose(() => { throw new Error('expected: dispose'); }); import.meta.hot.dispose(() => log('disposed ${version}')); ${accept}`;
  const app = await runApp(t, { 'main.mjs': `import './a.mjs';`, 'a.mjs': a(1) });
  t.mock.method(console, 'error', () => undefined);
  await app.swap({ 'a.mjs': a(2) });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(app.log(), ['disposed 1']);
});

test('a boundary that was not imported yet is not evaluated by a swap', async (t) => {
  const lazy = (version: number): string =>
    `log('lazy${version}'); export const lazy = ${version}; export class L { v() { return ${version}; } } ${accept}`;
  const app = await runApp(t, {
    'main.mjs': `export const load = () => import('./lazy.mjs'); log('main');`,
    'lazy.mjs': lazy(1),
  });
  const { plan } = await app.swap({ 'lazy.mjs': lazy(2) });
  assert.deepEqual(app.log(), ['main']);
  assert.deepEqual(
    plan.modules.map(({ path, isInPlace }) => [path, isInPlace]),
    [['lazy.mjs', true]],
  );
  const { lazy: value2, L } = await app.main['load']();
  assert.deepEqual([value2, new L().v(), app.log()], [2, 2, ['lazy2']]);
});

test('a boundary that was imported late is replaced like any other', async (t) => {
  const lazy = (version: number): string =>
    `export const lazy = ${version}; export class L { v() { return ${version}; } only${version}() {} } export function f() { return ${version}; } ${accept}`;
  const app = await runApp(t, {
    'main.mjs': `export const load = () => import('./lazy.mjs'); log('main');`,
    'lazy.mjs': lazy(1),
  });
  const { L, f } = await app.main['load']();
  const living = new L();
  const prepared = await app.prepare({ 'lazy.mjs': lazy(2) });
  assert.deepEqual([living.v(), new L().v(), f(), (await app.main['load']()).lazy], [1, 1, 1, 1]);
  prepared.abort();
  assert.deepEqual([living.v(), new L().v(), f(), (await app.main['load']()).lazy], [1, 1, 1, 1]);
  assert.deepEqual(Reflect.ownKeys(L.prototype), ['constructor', 'v', 'only1']);
  await app.swap({ 'lazy.mjs': lazy(3) });
  assert.deepEqual([living.v(), new L().v(), f(), (await app.main['load']()).lazy], [3, 3, 3, 3]);
  assert.deepEqual(app.log(), ['main']);
});

test('a boundary that is imported between prepare and commit is replaced, too', async (t) => {
  const lazy = (version: number): string =>
    `export const lazy = ${version}; log('lazy${version}'); ${accept}`;
  const app = await runApp(t, {
    'main.mjs': `export const load = () => import('./late.mjs'); log('main');`,
    'late.mjs': `import { lazy } from './lazy.mjs'; export const seen = () => lazy; log('late');`,
    'lazy.mjs': lazy(1),
  });
  const prepared = await app.prepare({ 'lazy.mjs': lazy(2) });
  const { seen } = await app.main['load']();
  await prepared.commit();
  assert.deepEqual(app.log(), ['main', 'lazy1', 'late', 'lazy2']);
  assert.equal(seen(), 2);
});

test('a module imported late sees the boundary as it is by then', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import './a.mjs'; export const load = () => import('./late.mjs');`,
    'late.mjs': `import { a } from './a.mjs'; export const first = a; export const seen = () => a;`,
    'a.mjs': value('a', 1),
  });
  await app.swap({ 'a.mjs': value('a', 2) });
  const late = await app.main['load']();
  assert.deepEqual([late.first, late.seen()], ['a2', 'a2']);
  await app.swap({ 'a.mjs': value('a', 3) });
  assert.deepEqual([late.first, late.seen()], ['a2', 'a3']);
});

test('a swap may be prepared right after something was invalidated', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { hot } from './a.mjs'; log('main'); export const again = () => hot.invalidate();`,
    'a.mjs': `export const hot = import.meta.hot; hot.accept(); log('a1');`,
  });
  app.log();
  app.main['again']();
  await app.swap({ 'a.mjs': `export const hot = import.meta.hot; hot.accept(); log('a2');` });
  assert.equal(app.log().includes('a2'), true);
});

test('close while a swap is prepared or is being prepared ends well', async (t) => {
  const app = await runApp(t, { 'main.mjs': `import './a.mjs';`, 'a.mjs': value('a', 1) });
  const preparing = app.prepare({
    'a.mjs': `await new Promise((resolve) => setTimeout(resolve, 30)); ${value('a', 2)}`,
  });
  const settled = Promise.allSettled([preparing]);
  await app.runtime.close();
  const [result] = await settled;
  assert.ok(result);
});

test('closing ends a swap the evaluation of which never ends', { timeout: 60_000 }, async (t) => {
  const app = await runApp(t, { 'main.mjs': `import './a.mjs';`, 'a.mjs': value('a', 1) });
  const preparing = app.prepare({ 'a.mjs': `log('waits'); await new Promise(() => {}); ${accept}` });
  const rejected = assert.rejects(preparing, { code: 'ERR_MIDFLIGHT_INVALID_STATE' });
  while (!app.log().includes('waits')) await new Promise((resolve) => setImmediate(resolve));
  await app.runtime.close();
  await rejected;
});

test('an abort drops a swap whose evaluation never ends, and the next is prepared', async (t) => {
  const { runtime, main, prepare, swap, log } = await runApp(t, { 'main.js': 'export const text = 1;' });
  const controller = new AbortController();
  const preparing = prepare({ 'main.js': 'log("waits"); await new Promise(() => {});' }, controller);
  while (log().length === 0) await new Promise(setImmediate);
  controller.abort(new Error('not any more'));
  await assert.rejects(preparing, { message: 'not any more' });
  assert.deepEqual([main.text, runtime.generations.length], [1, 1]);
  await swap({ 'main.js': 'export const text = 2;' });
  assert.equal((runtime.namespace() as typeof main).text, 2);
  const late = prepare({ 'main.js': 'export const text = 3;' }, { signal: AbortSignal.abort() });
  await assert.rejects(late, { name: 'AbortError' });
});

test('a callback of accept(dependency) that throws leads importers back to the dependency before', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { name } from './dep.mjs'; export const seen = () => name;
      import.meta.hot.accept('./dep.mjs', (dep) => { if (dep.name === 'bad') throw new Error('expected'); });`,
    'dep.mjs': `export const name = 'one';`,
  });
  const bad = await app.prepare({ 'dep.mjs': `export const name = 'bad';` });
  await assert.rejects(bad.commit(), /expected/);
  assert.equal(app.main['seen'](), 'one');
  await app.swap({ 'dep.mjs': `export const name = 'two';` });
  assert.equal(app.main['seen'](), 'two');
  const worse = await app.prepare({ 'dep.mjs': `export const name = 'bad';` });
  await assert.rejects(worse.commit(), /expected/);
  assert.equal(app.main['seen'](), 'two');
});

test('a module that is imported on behalf of whoever runs the runtime accepts its dependencies', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `export const load = () => import('./lazy.mjs'); log('main');`,
    'lazy.mjs': `import { name } from './dep.mjs'; export const seen = () => name; import.meta.hot.accept('./dep.mjs');`,
    'dep.mjs': `export const name = 'one';`,
  });
  const { seen } = await app.main['load']();
  await app.swap({ 'dep.mjs': `export const name = 'two';` });
  assert.deepEqual([seen(), app.log()], ['two', ['main']]);
});

test('a version that fails between prepare and commit is not committed', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { a } from './a.mjs'; export const seen = () => a;`,
    'a.mjs': value('a', 1),
  });
  const prepared = await app.prepare({
    'a.mjs': `${value('a', 2)} setImmediate(() => { try { process.exit(3); } finally { log('fails'); return; } });`,
  });
  while (!app.log().includes('fails')) await new Promise((resolve) => setImmediate(resolve));
  await assert.rejects(prepared.commit(), { code: 'ERR_MIDFLIGHT_GENERATION_EXITED' });
  assert.equal(app.main['seen'](), 'a1');
  await app.swap({ 'a.mjs': value('a', 3) });
  assert.equal(app.main['seen'](), 'a3');
});

const invalidating = (version: number, more = ''): string =>
  `log('a${version}'); export const a = () => import.meta.hot.invalidate(); ${accept} ${more}`;
const invalidatingMain = `import { a } from './a.mjs'; import './b.mjs'; log('main'); export const invalidate = () => a();`;

test('what was invalidated while a swap was prepared is evaluated again, too, when that is dropped', async (t) => {
  const app = await runApp(t, {
    'main.mjs': invalidatingMain,
    'a.mjs': invalidating(1),
    'b.mjs': value('b', 1),
  });
  app.log();
  const prepared = await app.prepare({ 'b.mjs': value('b', 2) });
  app.main['invalidate']();
  prepared.abort();
  const next = await app.prepare({ 'b.mjs': value('b', 1) });
  next.abort();
  const logged = app.log();
  // Nothing has changed, so nobody has waited for it.
  while (logged.length < 3) {
    await new Promise((resolve) => setImmediate(resolve));
    logged.push(...app.log());
  }
  assert.deepEqual(logged, ['b2', 'a1', 'main']);
});

test('what a version has invalidated is forgotten when that version is dropped', async (t) => {
  const app = await runApp(t, {
    'main.mjs': invalidatingMain,
    'a.mjs': invalidating(1),
    'b.mjs': value('b', 1),
  });
  app.log();
  await assert.rejects(
    app.prepare({ 'a.mjs': invalidating(2, `import.meta.hot.invalidate(); throw new Error('expected');`) }),
    /expected/,
  );
  await app.swap({ 'a.mjs': invalidating(3) });
  assert.deepEqual(app.log(), ['a2', 'a3']);
});
