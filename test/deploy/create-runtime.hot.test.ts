/** `import.meta.hot`: where a change stops, and what happens on both sides of that. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { runApp } from './runtime-fixture.ts';

const selfAccepting = (value: number): string => `
  export let value = ${value};
  export function read() { return ${value}; }
  export const bump = () => { value += 1; };
  log('evaluated ${value}');
  import.meta.hot?.accept();
`;

test('a module that accepts itself is replaced and its importers stay', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { value, read } from './a.mjs'; import * as a from './a.mjs';
      log('main'); export const seen = () => [value, read(), a.value]; export const captured = read;`,
    'a.mjs': selfAccepting(1),
  });
  assert.deepEqual(app.log(), ['evaluated 1', 'main']);
  const { plan } = await app.swap({ 'a.mjs': selfAccepting(2) });
  assert.deepEqual(app.log(), ['evaluated 2']);
  assert.deepEqual(
    plan.modules.map(({ path, isInPlace }) => [path, isInPlace]),
    [['a.mjs', true]],
  );
  assert.deepEqual(app.main['seen'](), [2, 2, 2]);
  assert.equal(app.main['captured'](), 2);
});

test('a binding that the new version assigns later is live in importers that stay', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { value, bump } from './a.mjs'; export const seen = () => value; export const up = () => bump();`,
    'a.mjs': selfAccepting(1),
  });
  await app.swap({ 'a.mjs': selfAccepting(10) });
  app.main['up']();
  assert.equal(app.main['seen'](), 11);
});

test('importers that stay see the old version until the commit, and for good after an abort', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { value, read } from './a.mjs'; export const seen = () => [value, read()];`,
    'a.mjs': selfAccepting(1),
  });
  const prepared = await app.prepare({ 'a.mjs': selfAccepting(2) });
  assert.deepEqual(app.main['seen'](), [1, 1]);
  prepared.abort();
  assert.deepEqual(app.main['seen'](), [1, 1]);
});

test('rollback brings the version before back to importers and to what was captured', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { value, read } from './a.mjs'; export const seen = () => [value, captured()]; const captured = read;`,
    'a.mjs': selfAccepting(1),
  });
  await app.swap({ 'a.mjs': selfAccepting(2) });
  await app.runtime.rollback();
  assert.deepEqual(app.main['seen'](), [1, 1]);
});

test('an importer that only passes exports on leads to the new version', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { read } from './barrel.mjs'; import * as all from './barrel.mjs'; export const seen = () => [read(), all.value];`,
    'barrel.mjs': `export * from './a.mjs'; log('barrel');`,
    'a.mjs': selfAccepting(1),
  });
  await app.swap({ 'a.mjs': selfAccepting(2) });
  assert.deepEqual(app.log(), ['evaluated 1', 'barrel', 'evaluated 2']);
  assert.deepEqual(app.main['seen'](), [2, 2]);
});

test('a module that stays between a changed one and a replaced one gives the changed one the new version', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { seen } from './b.mjs'; export const read = () => seen;`,
    'b.mjs': `import { value } from './barrel.mjs'; export const seen = ['one', value]; log(seen); import.meta.hot.accept();`,
    'barrel.mjs': `export * from './a.mjs';`,
    'a.mjs': selfAccepting(1),
  });
  app.log();
  await app.swap({
    'a.mjs': selfAccepting(2),
    'b.mjs': `import { value } from './barrel.mjs'; export const seen = ['two', value]; log(seen); import.meta.hot.accept();`,
  });
  assert.deepEqual(app.log(), ['evaluated 2', ['two', 2]]);
  assert.deepEqual(app.main['read'](), ['two', 2]);
});

test('accept(callback) is called on the version that was replaced, with the exports of the new one', async (t) => {
  const source = (value: number): string =>
    `export const value = ${value}; import.meta.hot.accept((next) => log(['replaced ${value} by', next.value]));`;
  const app = await runApp(t, { 'main.mjs': `import './a.mjs';`, 'a.mjs': source(1) });
  await app.swap({ 'a.mjs': source(2) });
  await app.swap({ 'a.mjs': source(3) });
  assert.deepEqual(app.log(), [
    ['replaced 1 by', 2],
    ['replaced 2 by', 3],
  ]);
});

test('accept(dependency, callback) keeps the importer and gives it the new exports', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { name } from './dep.mjs'; log('main'); export const seen = () => name;
      import.meta.hot.accept('./dep.mjs', (dep) => log(['accepted', dep.name]));`,
    'dep.mjs': `export const name = 'one';`,
  });
  await app.swap({ 'dep.mjs': `export const name = 'two';` });
  await app.swap({ 'dep.mjs': `export const name = 'three';` });
  assert.deepEqual(app.log(), ['main', ['accepted', 'two'], ['accepted', 'three']]);
  assert.equal(app.main['seen'](), 'three');
});

test('accept(dependencies, callback) gets undefined for those that have no new version', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import './a.mjs'; import './b.mjs';
      import.meta.hot.accept(['./a.mjs', './b.mjs'], ([a, b]) => log([a?.name, b?.name]));`,
    'a.mjs': `export const name = 'a';`,
    'b.mjs': `export const name = 'b';`,
  });
  await app.swap({ 'b.mjs': `export const name = 'b2';` });
  assert.deepEqual(app.log(), [[undefined, 'b2']]);
});

test('a dependency that one importer accepts and another does not takes the other along', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import './one.mjs'; import './two.mjs'; log('main');`,
    'one.mjs': `import { name } from './dep.mjs'; log('one'); import.meta.hot.accept('./dep.mjs', () => log(name));`,
    'two.mjs': `import { name } from './dep.mjs'; log('two ' + name);`,
    'dep.mjs': `export const name = 'first';`,
  });
  app.log();
  await app.swap({ 'dep.mjs': `export const name = 'second';` });
  assert.deepEqual(app.log(), ['two second', 'main', 'second']);
});

test('acceptExports keeps importers that use nothing else, and only those', async (t) => {
  const source = (value: number): string =>
    `export const a = ${value}; export const b = ${value}; import.meta.hot.acceptExports(['a']);`;
  const app = await runApp(t, {
    'main.mjs': `import './user-a.mjs'; import './user-b.mjs'; log('main');`,
    'user-a.mjs': `import { a } from './c.mjs'; log('a ' + a); globalThis.readA = () => a;`,
    'user-b.mjs': `import { b } from './c.mjs'; log('b ' + b);`,
    'c.mjs': source(1),
  });
  app.log();
  await app.swap({ 'c.mjs': source(2) });
  assert.deepEqual(app.log(), ['b 2', 'main']);
  assert.equal((globalThis as unknown as { readA: () => number }).readA(), 2);
});

test('dispose gets the data that the next version has, after that was evaluated', async (t) => {
  const source = (value: number): string => `
    log(['evaluated ${value}', { ...import.meta.hot.data }]);
    import.meta.hot.data.last = ${value};
    import.meta.hot.dispose(async (data) => { await null; data.disposed = ${value}; log('disposed ${value}'); });
    import.meta.hot.accept();
    globalThis.hotData = import.meta.hot.data;`;
  const app = await runApp(t, { 'main.mjs': `import './a.mjs';`, 'a.mjs': source(1) });
  await app.swap({ 'a.mjs': source(2) });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(app.log(), [['evaluated 1', {}], ['evaluated 2', { last: 1 }], 'disposed 1']);
  assert.deepEqual((globalThis as unknown as { hotData: object }).hotData, { last: 2, disposed: 1 });
});

test('a version that throws costs nothing: the old one is not disposed', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { value } from './a.mjs'; export const seen = () => value;`,
    'a.mjs': `export const value = 1; import.meta.hot.dispose(() => log('disposed')); import.meta.hot.accept();`,
  });
  await assert.rejects(
    app.prepare({ 'a.mjs': `export const value = 2; import.meta.hot.accept(); throw new Error('no');` }),
    { code: 'ERR_MIDFLIGHT_EVALUATION_FAILED' },
  );
  assert.equal(app.main['seen'](), 1);
  assert.deepEqual(app.log(), []);
});

test('prune is called for a module that nothing imports any more', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import './a.mjs';`,
    'a.mjs': `import.meta.hot.prune(() => log('pruned')); import.meta.hot.dispose(() => log('disposed'));`,
  });
  await app.swap({ 'main.mjs': `log('without');` });
  assert.deepEqual(app.log(), ['without', 'disposed', 'pruned']);
});

test('decline() leads to a handoff, which one process can not do', async (t) => {
  const app = await runApp(t, { 'main.mjs': `import './a.mjs';`, 'a.mjs': `import.meta.hot.decline();` });
  const prepared = await app.prepare({ 'a.mjs': `import.meta.hot.decline(); log('never');` });
  assert.equal(prepared.plan.path, 'handoff');
  assert.deepEqual(prepared.plan.reasons.map(({ code }) => code).toSorted(), ['MF1001', 'MF2004']);
  await assert.rejects(prepared.commit(), { code: 'ERR_MIDFLIGHT_INVALID_STATE' });
  assert.deepEqual(app.log(), []);
});

test('invalidate in the callback of accept evaluates the importers, too, before anything is current', async (t) => {
  const source = (value: number): string =>
    `export const value = ${value}; import.meta.hot.accept(() => import.meta.hot.invalidate('shape'));`;
  const app = await runApp(t, {
    'main.mjs': `import { value } from './a.mjs'; log('main ' + value);`,
    'a.mjs': source(1),
  });
  await app.swap({ 'a.mjs': source(2) });
  assert.deepEqual(app.log(), ['main 1', 'main 2']);
});

test('invalidate while a version is evaluated goes on to the importers at once', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { value } from './a.mjs'; log('main ' + value);`,
    'a.mjs': `export const value = 1; import.meta.hot.accept();`,
  });
  await app.swap({
    'a.mjs': `export const value = 2; import.meta.hot.accept(); import.meta.hot.invalidate();`,
  });
  assert.deepEqual(app.log(), ['main 1', 'main 2']);
});

test('invalidate at any later time evaluates the module again with its importers', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { hot } from './a.mjs'; log('main'); export const again = () => hot.invalidate();`,
    'a.mjs': `export const hot = import.meta.hot; hot.accept(); log('a');
      hot.on('vite:afterUpdate', () => hot.send('evaluated again'));`,
  });
  const evaluated = once(app.runtime.events, 'message');
  app.main['again']();
  assert.deepEqual(await evaluated, ['evaluated again', undefined]);
  assert.deepEqual(app.log(), ['a', 'main', 'a', 'main']);
});

test('a callback of accept that throws takes the swap back', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { value } from './a.mjs'; export const seen = () => value;`,
    'a.mjs': `export const value = 1; import.meta.hot.accept(() => { throw new Error('not this one'); });`,
  });
  const prepared = await app.prepare({ 'a.mjs': `export const value = 2; import.meta.hot.accept();` });
  await assert.rejects(prepared.commit(), /not this one/);
  assert.equal(app.main['seen'](), 1);
});

test('events are heard by current modules, and send reaches whoever runs the runtime', async (t) => {
  const source = (value: number): string => `
    import.meta.hot.on('vite:beforeUpdate', () => log('before ${value}'));
    import.meta.hot.on('vite:afterUpdate', ({ updates }) => log('after ${value} ' + updates[0].path));
    import.meta.hot.on('custom', (data) => { log('custom ${value} ' + data); import.meta.hot.send('answer', ${value}); });
    import.meta.hot.accept();`;
  const app = await runApp(t, { 'main.mjs': `import './a.mjs';`, 'a.mjs': source(1) });
  const messages: unknown[] = [];
  app.runtime.events.on('message', (event, data) => messages.push([event, data]));
  await app.swap({ 'a.mjs': source(2) });
  app.runtime.send('custom', 'hello');
  assert.deepEqual(app.log(), ['before 1', 'after 2 a.mjs', 'custom 2 hello']);
  assert.deepEqual(messages, [['answer', 2]]);
});

test('a module whose acceptance is guarded by what is false is not a boundary', async (t) => {
  const source = (value: number): string =>
    `export const value = ${value}; if (globalThis.never) import.meta.hot.accept();`;
  const app = await runApp(t, {
    'main.mjs': `import { value } from './a.mjs'; log('main ' + value);`,
    'a.mjs': source(1),
  });
  await app.swap({ 'a.mjs': source(2) });
  assert.deepEqual(app.log(), ['main 1', 'main 2']);
});
