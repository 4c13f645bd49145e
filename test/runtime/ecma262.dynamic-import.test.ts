/** import() and import attributes. */

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { bridgeNativeLoads } from '../../src/runtime/native-bridge.ts';
import { createApp, graphOf, run, type Files, type Namespace } from './module-graph-fixture.ts';
import { testAsInNode } from './native-oracle.ts';

testAsInNode({
  // 13.3.10 Import Calls
  'dynamic import gives one namespace, evaluated once': {
    'main.js': `const a = await import('./a.js'); const name = './a.js'; const b = await import(name); const c = await import(new URL('a.js', import.meta.url)); import * as d from './a.js'; export const result = [a === b, b === c, c === d, a.n];`,
    'a.js': `globalThis.evaluations = (globalThis.evaluations ?? 0) + 1; export const n = 1;`,
  },
  // 13.3.10.1 Import Call evaluation, step 9: ToString
  'a specifier may be any expression': {
    'main.js': `const tried = async (f) => { try { return await f(); } catch (e) { return e.name + ': ' + (e.code ?? e.message); } };
let n = 0; const side = () => { n++; return './a.js'; }; const o = { toString: () => './a.js' }; export const result = [(await import(\`./\${'a'}.js\`)).a, (await import(side())).a, n, (await import(o)).a, await tried(() => import({ toString() { throw new RangeError('x'); } })), await tried(() => import(Symbol())), (await import(new URL('./a.js', import.meta.url))).a, (await import(true ? './a.js' : '')).a, await tried(() => import('')), await tried(() => import(null)), await tried(() => import('./nope.js')), await tried(() => import('nope')), (await import('data:text/javascript,export default 7')).default, (await import('node:fs')) === (await import('fs')), import('./a.js') instanceof Promise];`,
    'a.js': `export const a = 1;`,
  },
  // 13.3.10.1, steps 8 to 10: IfAbruptRejectPromise
  'an argument that throws rejects, it does not throw': {
    'main.js': `let thrown = 'no'; let p; try { p = import({ toString() { throw 1; } }); p.catch(() => {}); } catch { thrown = 'yes'; } let q; try { q = import('./a.js', 1); q.catch(() => {}); } catch { thrown += 'yes'; } export const result = [thrown, await p.catch((e) => e), (await q.catch((e) => e)).name];`,
    'a.js': ``,
  },
  // 13.3.10.2 EvaluateImportCall, steps 9 to 11
  'options are checked': {
    'main.js': `const tried = async (f) => { try { return await f(); } catch (e) { return e.name + ': ' + (e.code ?? e.message); } };
const j = './d.json', s = './a.js'; const i = (x, o) => tried(async () => ({ ...(await import(x, o)) })); export const result = [await i(j), await i(j, { with: { type: 'json' } }), await i(j, { with: { type: 'css' } }), await i(j, { with: { a: 'json' } }), await i(s, { with: { type: 'json' } }), await i(s, { with: {} }), await i(s, {}), await i(s, undefined), await i(s, 1), await i(s, null), await i(s, { with: 1 }), await i(s, { with: { type: 1 } })];`,
    'a.js': `export const a = 1;`,
    'd.json': `{ "a": 1 }`,
  },
  // 16.2.1.7.1 CreateDefaultExportSyntheticModule
  'JSON has a default export': {
    'main.js': `import data from './data.json' with { type: 'json' }; const again = await import('./data.json', { with: { type: 'json' } }); export const result = [data, again.default === data, Object.keys(again)];`,
    'data.json': `{ "a": [1] }`,
  },
  // Node.js, ES modules: "JSON modules"
  'JSON is one object, imported or required': {
    'main.js': `import d from './d.json' with { type: 'json' }; export { default as again } from './d.json' with { type: 'json' }; import * as self from './main.js'; import { createRequire } from 'node:module'; const require = createRequire(import.meta.url); export const result = [require('./d.json') === d, (await import('./d.json', { with: { type: 'json' } })).default === d, self.again === d];`,
    'd.json': `[1]`,
  },
  // 13.3.10.3 ContinueDynamicImport
  'a module may wait for one that imports it again': {
    'main.js': `import { seen, done } from './a.js'; export const x = 1; export const result = [seen, await done];`,
    'a.js': `export const seen = 'a'; export const done = Promise.resolve().then(() => 'done'); import('./main.js').then((m) => m.x);`,
  },
});

/** 19.2.1 eval, 20.2.1.1 Function: code that is made at run time belongs to the module that makes it.
 *  On Node 26, V8 takes code that it knows by its text for code of the module that made that first: no two texts are equal here. */
const toEvaluated = (tag: string): Files => ({
  'main.js': `import { a, count } from './a.js'; import cjs from './c.cjs';
    const AsyncFunction = (async () => {}).constructor;
    const all = [await eval("import('./a.js') /* ${tag} */"), await (0, eval)("import('./a.js') /* ${tag} */"), await new Function("return import('./a.js') /* ${tag} */")(), await new AsyncFunction("return await import('./a.js') /* ${tag} */")(), await cjs()];
    const none = await eval("import('./nope.js')").catch((e) => e.code);
    export const result = [all.map((ns) => ns.a === a), none, count()];`,
  'a.js': `export const a = {}; let n = 0; export const count = () => ++n;`,
  'c.cjs': `module.exports = () => eval("import('./a.js') /* ${tag} */");`,
});

test('import() in eval and new Function leads to the modules of the graph, as in Node', async (t) => {
  const graph = await graphOf(createApp(t, toEvaluated('ours')));
  const end = bridgeNativeLoads((file) => graph.moduleAt(file));
  const { result } = await run(graph);
  end();
  const other = createApp(t, toEvaluated('native'));
  const native = (await import(pathToFileURL(path.join(other.root, other.entry)).href)) as Namespace;
  assert.deepEqual(result, native['result']);
});
