import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as immediate } from 'node:timers/promises';
import v8 from 'node:v8';
import vm from 'node:vm';
import { change, createApp, graphOf, run, type Namespace } from './module-graph-fixture.ts';

const tree = {
  'main.js': `import { a } from './a.js'; import { shared } from './shared.js'; export { a, shared };`,
  'a.js': `import { leaf } from './leaf.js'; import { shared } from './shared.js'; export const a = { leaf, shared };`,
  'leaf.js': `export const leaf = 1;`,
  'shared.js': `export const shared = { count: 0 };`,
};

test('a change re-evaluates the module and all that lead to it; the rest is shared', async (t) => {
  const app = createApp(t, tree);
  const first = await graphOf(app);
  const one = await run(first);
  assert.deepEqual([...first.changed].toSorted(), ['a.js', 'leaf.js', 'main.js', 'shared.js']);
  change(app, { 'leaf.js': 'export const leaf = 2;' });
  const second = await graphOf(app, { previous: first });
  assert.deepEqual([...second.changed].toSorted(), ['a.js', 'leaf.js', 'main.js']);
  const two = await run(second);
  assert.equal((two['a'] as Namespace)['leaf'], 2);
  assert.equal(two['shared'], one['shared']);
  assert.equal((one['a'] as Namespace)['leaf'], 1);
});

test('without a change everything is shared, and nothing runs again', async (t) => {
  const app = createApp(t, tree);
  const first = await graphOf(app);
  const one = await run(first);
  const second = await graphOf(app, { previous: first });
  assert.equal(second.changed.size, 0);
  assert.equal(await run(second), one);
});

test('unchanged code that runs again is not compiled again', async (t) => {
  const app = createApp(t, tree);
  const first = await graphOf(app);
  await run(first);
  change(app, { 'leaf.js': 'export const leaf = 2;' });
  const second = await graphOf(app, { previous: first });
  await run(second);
  assert.equal(second.instances.get('a.js')?.compiled, first.instances.get('a.js')?.compiled);
});

test('requires and literal dynamic imports count as importers', async (t) => {
  const app = createApp(t, {
    'main.js': `import './by-require.cjs'; export const load = () => import('./lazy.js');`,
    'by-require.cjs': `exports.x = require('./leaf.cjs');`,
    'leaf.cjs': `module.exports = 1;`,
    'lazy.js': `export const version = 1;`,
    'other.js': ``,
  });
  const first = await graphOf(app);
  const one = await run(first);
  change(app, { 'leaf.cjs': 'module.exports = 2;', 'lazy.js': 'export const version = 2;' });
  const second = await graphOf(app, { previous: first });
  const two = await run(second);
  assert.deepEqual([...second.changed].toSorted(), ['by-require.cjs', 'lazy.js', 'leaf.cjs', 'main.js']);
  const load = async (namespace: Namespace): Promise<unknown> =>
    (await (namespace['load'] as () => Promise<Namespace>)())['version'];
  assert.deepEqual([await load(one), await load(two)], [1, 2]);
});

test('a computed import of a shared module goes to the generation that adopted it', async (t) => {
  const app = createApp(t, {
    'main.js': `import { load } from './loader.js'; import './changing.js'; export { load };`,
    'loader.js': `export const load = async (name) => (await import(name)).version;`,
    'changing.js': `export const version = 1;`,
  });
  const first = await graphOf(app);
  const one = await run(first);
  const load = one['load'] as (name: string) => Promise<unknown>;
  change(app, { 'changing.js': 'export const version = 2;' });
  const second = await graphOf(app, { previous: first });
  const two = await run(second);
  assert.equal(two['load'], load);
  assert.equal(await load('./changing.js'), 1);
  second.adopt();
  assert.equal(await load('./changing.js'), 2);
  first.adopt();
  assert.equal(await load('./changing.js'), 1);
});

test('require of an ES module with top-level await is refused', async (t) => {
  const app = createApp(t, {
    'main.cjs': `require('./a.mjs');`,
    'a.mjs': `import './b.mjs';`,
    'b.mjs': `await null;`,
  });
  const graph = await graphOf(app);
  await graph.load();
  await assert.rejects(graph.evaluate(), { code: 'ERR_MIDFLIGHT_MODULE_REQUIRES_ASYNC' });
});

test('a module that failed runs again in the next graph', async (t) => {
  const app = createApp(t, {
    'main.js': `export const load = () => import('./flaky.js');`,
    'flaky.js': `if (!globalThis.flakyMayRun) throw new Error('not yet'); export const fine = true;`,
  });
  t.after(() => Reflect.deleteProperty(globalThis, 'flakyMayRun'));
  const first = await graphOf(app);
  const load = (await run(first))['load'] as () => Promise<Namespace>;
  await assert.rejects(load(), { message: 'not yet' });
  Object.assign(globalThis, { flakyMayRun: true });
  const second = await graphOf(app, { previous: first });
  const again = (await run(second))['load'] as () => Promise<Namespace>;
  assert.equal((await again())['fine'], true);
});

test('timers are those of the context, and Midflight is the one that runs', async (t) => {
  const app = createApp(t, {
    'main.js': `import { state } from 'midflight'; import { setInterval } from 'node:timers'; export const result = [setTimeout(), setInterval(), state, require_()]; import { createRequire } from 'node:module'; function require_() { return createRequire(import.meta.url)('midflight').state; }`,
  });
  const timers = { setTimeout: () => 'timeout', setInterval: () => 'interval' };
  const graph = await graphOf(app, { timers, midflightExports: { '': { state: 's' } } });
  assert.deepEqual((await run(graph))['result'], ['timeout', 'interval', 's', 's']);
});

test('stack traces name the source file and line', async (t) => {
  const app = createApp(t, {
    'main.ts': `interface A {\n  a: string;\n}\n\nexport function f(\n  a: A,\n): never {\n  throw new Error(a.a);\n}\n`,
  });
  const { f } = (await run(await graphOf(app))) as { f: (a: object) => never };
  assert.throws(
    () => f({ a: 'x' }),
    ({ stack }: Error) => stack?.includes(`${app.root}/main.ts:8:`) === true,
  );
});

test('a replaced version is collected, although modules are shared', async (t) => {
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc') as () => void;
  const app = createApp(t, {
    'main.js': `import { a } from './a.js'; import './shared.cjs'; import { wait } from './shared.js'; await wait(); export const big = { a };`,
    'a.js': `export const a = 1;`,
    'shared.js': `import './slow.js'; export const wait = () => null;`,
    'slow.js': `await null;`,
    'shared.cjs': `require('./other.cjs');`,
    'other.cjs': `exports.x = 1;`,
  });
  let graph = await graphOf(app);
  const old: WeakRef<object>[] = [];
  for (let version = 2; version < 6; version += 1) {
    old.push(new WeakRef((await run(graph))['big'] as object));
    change(app, { 'a.js': `export const a = ${version};` });
    graph = await graphOf(app, { previous: graph });
    await run(graph);
    graph.adopt();
  }
  for (let turn = 0; turn < 10 && old.some((ref) => ref.deref() !== undefined); turn += 1) {
    await immediate();
    collect();
  }
  assert.deepEqual(
    old.map((ref) => ref.deref()),
    [undefined, undefined, undefined, undefined],
  );
});
