/** `import.meta.hot.accept` for dependencies that are no ES modules, and what is ended once. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runApp } from './runtime-fixture.ts';

test('accept(dependency) of a CommonJS module gives the importer its new exports', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import rules, { limit } from './rules.cjs'; export const seen = () => [rules.limit, limit];
      import.meta.hot.accept('./rules.cjs', (next) => log(next.default.limit));`,
    'rules.cjs': 'exports.limit = 1;',
  });
  await app.swap({ 'rules.cjs': 'exports.limit = 2;' });
  assert.deepEqual(app.log(), [2]);
  assert.deepEqual(app.main['seen'](), [2, 2]);
  await app.runtime.rollback();
  assert.deepEqual(app.main['seen'](), [1, 1]);
});

test('accept(dependency) of JSON gives the importer the new value', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import rules from './rules.json' with { type: 'json' }; export const seen = () => rules.limit;
      import.meta.hot.accept('./rules.json');`,
    'rules.json': '{ "limit": 1 }',
  });
  await app.swap({ 'rules.json': '{ "limit": 2 }' });
  assert.equal(app.main['seen'](), 2);
});

test('close() disposes of each version once', async (t) => {
  const app = await runApp(t, { 'main.mjs': `import.meta.hot.dispose(() => log('disposed'));` });
  await app.runtime.close();
  assert.deepEqual(app.log(), ['disposed']);
});

test('off() takes away what on() was given twice', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `const hear = (data) => log(data); import.meta.hot.on('x', hear); import.meta.hot.on('x', hear);
      export const off = () => import.meta.hot.off('x', hear);`,
  });
  app.main['off']();
  app.runtime.send('x', 1);
  assert.deepEqual(app.log(), []);
});
