/** What can't be linked is an error before anything runs, and what is no module is one before that. */

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { MidflightError } from '../../src/errors.ts';
import { createApp, graphOf, type Files } from './module-graph-fixture.ts';

const missing = 'ERR_MIDFLIGHT_EXPORT_MISSING';
const attribute = 'ERR_MIDFLIGHT_IMPORT_ATTRIBUTE_INVALID';

/** The files beside `main.js` set a mark when they run. */
const unlinkable: Readonly<Record<string, { readonly files: Files; readonly error: readonly string[] }>> = {
  // ECMA-262 16.2.1.7.3.1 InitializeEnvironment, step 7.d
  'an import that is missing': {
    files: { 'main.js': `import { x } from './a.js';`, 'a.js': `ran();` },
    error: [missing, 'main.js', 'x', './a.js'],
  },
  'a default that a star does not give': {
    files: {
      'main.js': `import d from './a.js';`,
      'a.js': `export * from './b.js'; ran();`,
      'b.js': `export default 1;`,
    },
    error: [missing, 'main.js', 'default', './a.js'],
  },
  'a name that CommonJS is not seen to export': {
    files: { 'main.js': `import { x } from './c.cjs';`, 'c.cjs': `exports.y = 1; ran();` },
    error: [missing, 'main.js', 'x', './c.cjs'],
  },
  'a name of JSON': {
    files: {
      'main.js': `import './a.js'; import { x } from './d.json' with { type: 'json' };`,
      'd.json': `{ "x": 1 }`,
      'a.js': `ran();`,
    },
    error: [missing, 'main.js', 'x', './d.json'],
  },
  'a name of a built-in module': {
    files: { 'main.js': `import './a.js'; import { nope } from 'node:fs';`, 'a.js': `ran();` },
    error: [missing, 'main.js', 'nope', 'node:fs'],
  },
  // 16.2.1.7.3.1, step 1: indirect exports are resolved though nobody imports them
  'a re-export that is missing': {
    files: {
      'main.js': `import './b.js'; import './a.js';`,
      'a.js': `export { x } from './b.js';`,
      'b.js': `ran();`,
    },
    error: [missing, 'a.js', 'x', './b.js'],
  },
  // 16.2.1.7.2.2 ResolveExport, step 2: a circular request resolves to nothing
  'a re-export that only leads to itself': {
    files: {
      'main.js': `import './c.js'; import './a.js';`,
      'a.js': `export { x } from './b.js';`,
      'b.js': `export { x } from './a.js';`,
      'c.js': `ran();`,
    },
    error: [missing, 'a.js', 'x', './b.js'],
  },
  // 16.2.1.7.2.2, step 7.d.ii
  'an import that is ambiguous': {
    files: {
      'main.js': `import { x } from './a.js';`,
      'a.js': `export * from './b.js'; export * from './c.js'; ran();`,
      'b.js': `export const x = 1;`,
      'c.js': `export const x = 1;`,
    },
    error: ['ERR_MIDFLIGHT_EXPORT_AMBIGUOUS', 'main.js', 'x', './a.js'],
  },
  'a module that is not there': {
    files: { 'main.js': `import './a.js'; import './nope.js';`, 'a.js': `ran();` },
    error: ['ERR_MIDFLIGHT_MODULE_UNRESOLVED', 'main.js', './nope.js'],
  },
  // Node.js, ES modules: "Import attributes", ERR_IMPORT_ATTRIBUTE_MISSING and ERR_IMPORT_ATTRIBUTE_TYPE_INCOMPATIBLE
  'JSON without its attribute': {
    files: { 'main.js': `import './a.js'; import d from './d.json';`, 'a.js': `ran();`, 'd.json': `{}` },
    error: [attribute, 'main.js', './d.json'],
  },
  'JavaScript as JSON': {
    files: {
      'main.js': `import './b.js'; import * as a from './a.js' with { type: 'json' };`,
      'a.js': ``,
      'b.js': `ran();`,
    },
    error: [attribute, 'main.js', './a.js'],
  },
};

for (const [name, { files, error }] of Object.entries(unlinkable)) {
  test(`${name} is an error before anything runs, as in Node`, async (t) => {
    t.after(() => Reflect.deleteProperty(globalThis, 'ran'));
    let runs = 0;
    Object.assign(globalThis, { ran: () => (runs += 1) });
    const app = createApp(t, files);
    const graph = await graphOf(app);
    await assert.rejects(graph.load(), (thrown) => {
      assert.ok(thrown instanceof MidflightError);
      assert.deepEqual([thrown.code, ...thrown.details].slice(0, error.length), error);
      return true;
    });
    await assert.rejects(import(pathToFileURL(path.join(app.root, app.entry)).href));
    assert.equal(runs, 0);
  });
}

test('what can not be linked can be caught where it is imported dynamically, again and again', async (t) => {
  const app = createApp(t, {
    'main.js': `const tried = () => import('./a.js').catch((e) => e.code); export const result = [await tried(), await tried()];`,
    'a.js': `import { x } from './b.js';`,
    'b.js': ``,
  });
  const graph = await graphOf(app);
  await graph.load();
  await graph.evaluate();
  assert.deepEqual((graph.namespace('main.js') as { result: unknown }).result, [missing, missing]);
});

test('TypeScript may import JSON without an attribute, as its compilers let it', async (t) => {
  const app = createApp(t, {
    'main.ts': `import d from './d.json'; export const { x } = d;`,
    'd.json': `{ "x": 1 }`,
  });
  const graph = await graphOf(app);
  await graph.load();
  await graph.evaluate();
  assert.equal((graph.namespace('main.ts') as { x: unknown }).x, 1);
});

/** By section of ECMA-262: sources that are no module. */
const early: Readonly<Record<string, string>> = {
  '16.2.1.1 a name that is declared twice': `let a; let a;`,
  '16.2.1.1 a name that is imported and declared': `import { a } from './main.js'; let a;`,
  '16.2.1.1 a name that is imported and a var': `import { a } from './main.js'; var a;`,
  '16.2.1.1 a function that is declared twice': `function f() {} function f() {}`,
  '16.2.1.1 a name that is imported twice': `import a from './main.js'; import { a } from './main.js';`,
  '16.2.1.1 a name that is exported twice': `export const a = 1; export { a };`,
  '16.2.1.1 two defaults': `export default 1; export default 2;`,
  '16.2.1.1 an export of what is not declared': `export { nothing };`,
  '16.2.1.1 new.target at the top level': `new.target;`,
  '16.2.1.1 super at the top level': `super.x;`,
  '16.2.1.1 a break without a loop': `break;`,
  '16.2.2.1 an import that is called eval': `import { a as eval } from './main.js';`,
  '16.2.2.1 a key of attributes twice': `import './main.js' with { type: 'json', type: 'json' };`,
  '16.2.3.1 a local string name': `export { 'a b' };`,
  '16.2 an import that is not at the top level': `if (1) { import './main.js'; }`,
  '13.3.12 import.meta can not be written': `import.meta = 1;`,
  '13.3.10 import can not be constructed': `new import('./main.js');`,
  '14.10 return at the top level': `export {}; return;`,
  '13.1.1 await is no name': `export {}; let await;`,
  '13.5.1.1 delete of a variable': `let a; delete a; export {}`,
  '14.11.1 with': `export {}; with ({}) {}`,
  '12.9.3.1 an octal number': `export {}; 010;`,
  'Node.js, Import attributes: an unknown key': `import './main.js' with { colour: 'red' };`,
  'Node.js, Import attributes: an unknown type': `import './main.js' with { type: 'css' };`,
};

for (const [name, source] of Object.entries(early)) {
  test(`a syntax error, as in Node: ${name}`, async (t) => {
    const app = createApp(t, { 'main.mjs': source, 'main.js': '' });
    await assert.rejects(graphOf(app), { code: 'ERR_MIDFLIGHT_SYNTAX' });
    const native = import(pathToFileURL(path.join(app.root, app.entry)).href);
    await assert.rejects(native, ({ name: kind }: Error) => kind === 'SyntaxError' || kind === 'TypeError');
  });
}
