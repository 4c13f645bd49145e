import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { createApp, graphOf, run, type Files } from './module-graph-fixture.ts';

/** Each must export the same from the graph as from Node itself. */
const cases: Readonly<Record<string, Files>> = {
  'live bindings are seen by importers': {
    'main.js': `import { n, up } from './a.js'; const before = n; up(); export const result = [before, n];`,
    'a.js': `export let n = 1; export const up = () => { n++; n += 1; [n] = [n * 10]; ({ n } = { n: n + 1 }); for (n of [n]); };`,
  },
  'functions are hoisted in a cycle': {
    'main.js': `import { a } from './a.js'; export function b() { return 'b'; } export default function () { return 'd'; } export const result = a;`,
    'a.js': `import d, { b } from './main.js'; export const a = b() + d() + d.name;`,
  },
  'a binding of a cycle throws before it is initialized': {
    'main.js': `import { seen } from './a.js'; export const x = 1; export let y; export var z = 3; export class K {} export const result = seen;`,
    'a.js': `import * as m from './main.js'; import { x, z, K } from './main.js';
      const tried = (f) => { try { return String(f()); } catch (e) { return e.name + ': ' + e.message; } };
      export const seen = [tried(() => x), tried(() => m.y), tried(() => z), tried(() => K)];`,
  },
  'a cycle sees values once they are there': {
    'main.js': `import { get } from './a.js'; export const x = 1; export const result = get();`,
    'a.js': `import { x } from './main.js'; export const get = () => x;`,
  },
  'a module may import itself': {
    'main.js': `import * as self from './main.js'; import { b as c } from './main.js'; export const a = 1; export function b() { return self.a; } export const result = [c(), 'b' in self];`,
  },
  'anonymous default exports are named default': {
    'main.js': `import a from './a.js'; import b from './b.js'; import c from './c.js'; import d from './d.js'; import e from './e.js'; import f from './f.js'; export const result = [a.name, b.name, c.name, d.name, e.name, f.name];`,
    'a.js': `export default () => {}`,
    'b.js': `export default class {}`,
    'c.js': `export default (class { static name = 'own'; })`,
    'd.js': `export default async function () {}`,
    'e.js': `export default (function* () {})`,
    'f.js': `export default function named() {}`,
  },
  'a default export of an expression is not live, one of a function is': {
    'main.js': `import a, { set } from './a.js'; import f, { setF } from './f.js'; set(2); setF(); export const result = [a, f];`,
    'a.js': `let a = 1; export default a; export const set = (v) => { a = v; };`,
    'f.js': `export default function f() {} export const setF = () => { f = 7; };`,
  },
  'names and forms of exports': {
    'main.js': `import * as a from './a.js'; export const result = { ...a, keys: Object.keys(a), tag: Object.prototype.toString.call(a), proto: Object.getPrototypeOf(a) };`,
    'a.js': `const a = 1, b = 2; export { a as x, a as 'c-d', b as default }; export const [p, { q, ...r }] = [1, { q: 2, s: 3 }]; export * as ns from './b.js'; export * from './b.js'; export { z as y } from './b.js';`,
    'b.js': `export const z = 1; export default 5; export const w = 2;`,
  },
  'a re-exported import is the same binding': {
    'main.js': `import { a, ns } from './a.js'; import { up } from './b.js'; up(); export const result = [a, ns.n];`,
    'a.js': `import { n } from './b.js'; import * as ns from './b.js'; export { n as a, ns };`,
    'b.js': `export let n = 1; export const up = () => ++n;`,
  },
  'a name of two stars that is one binding is no conflict': {
    'main.js': `import { v } from './a.js'; import * as all from './a.js'; export const result = [v, Object.keys(all)];`,
    'a.js': `export * from './b.js'; export * from './c.js';`,
    'b.js': `export * from './d.js'; export const both = 1;`,
    'c.js': `export * from './d.js'; export const both = 2;`,
    'd.js': `export const v = 1;`,
  },
  'stars in a cycle': {
    'main.js': `import { a, b } from './a.js'; export const result = [a, b];`,
    'a.js': `export * from './b.js'; export const a = 1;`,
    'b.js': `export * from './a.js'; export const b = 2;`,
  },
  'a namespace can not be written': {
    'main.js': `import * as a from './a.js'; const tried = (f) => { try { return f(); } catch (e) { return e.name; } };
      export const result = [tried(() => { a.n = 2; }), tried(() => { a.m = 2; }), tried(() => delete a.n), 'n' in a, 'toString' in a, Object.isExtensible(a)];`,
    'a.js': `export let n = 1;`,
  },
  'an import can not be written': {
    'main.js': `import { n } from './a.js'; const tried = (f) => { try { return f(); } catch (e) { return e.name + e.message; } };
      export const result = [tried(() => { n = 2; }), tried(() => { n++; }), tried(() => { [n] = [1]; }), tried(() => { ({ n } = { n: 1 }); }), tried(() => { for (n of [1]); }), n];`,
    'a.js': `export let n = 1;`,
  },
  'this is undefined in a module and in a called import': {
    'main.js': `import { f, tag, o } from './a.js'; const g = this
      f()
      export const result = [g, f(), tag\`x\`, o.f() === o, f?.(), new (class { x = f() })().x];`,
    'a.js': `export function f() { return this; } export function tag() { return this; } export const o = { f };`,
  },
  'statements without semicolons stay apart': {
    'main.js': `import { f, log } from './a.js'
const a = log
f(1)
let b = a
f\`2\`
if (b)
f(3)
else f(4)
do f(5)
while (false)
label: f(6)
export let c = 0
f(7)
c = 8
f(c)
export const result = log`,
    'a.js': `export const log = []; export const f = (x) => { log.push(String(x)); return f }`,
  },
  'shadowed imports are left alone': {
    'main.js': `import { a, b } from './a.js'; const f = (a) => { { const b = 3; a += b; } return { a, b }; }; function g({ a = b } = {}) { return a; } class C { a = a; static b() { return b; } }
      export const result = [f(1), g(), new C().a, C.b(), { a, b }, typeof a, \`\${a}\`];`,
    'a.js': `export const a = 'A', b = 'B';`,
  },
  'loops write exported variables': {
    'main.js': `import * as a from './a.js'; export const result = { ...a };`,
    'a.js': `export var i, j, k; const seen = []; for (i = 0; i < 3; i++) seen.push(i); for (j in { x: 1 }); for (k of [1, 2]) { seen.push(k); } for (var l = 5; l < 6; l++); for (var [m] = [1]; m < 3; m++); if (true) var o = 1; else var o = 2; export { l, m, o, seen };`,
  },
  'top-level await holds up importers, siblings run on': {
    'main.js': `import './a.js'; import './b.js'; import { log } from './log.js'; log.push('main'); export const result = log;`,
    'a.js': `import { log } from './log.js'; log.push('a1'); await null; await null; log.push('a2');`,
    'b.js': `import { log } from './log.js'; log.push('b1'); await null; log.push('b2'); for await (const x of [1]) log.push(x);`,
    'log.js': `export const log = [];`,
  },
  'modules that wait run in the order in which they were met': {
    'main.js': `import './x.js'; import './y.js'; import './z.js'; import { log } from './log.js'; export const result = log;`,
    'x.js': `import './wait.js'; import { log } from './log.js'; log.push('x');`,
    'y.js': `import './x.js'; import { log } from './log.js'; log.push('y'); await null; log.push('y2');`,
    'z.js': `import './wait.js'; import './y.js'; import { log } from './log.js'; log.push('z');`,
    'wait.js': `import { log } from './log.js'; await Promise.resolve(); log.push('w'); export {};`,
    'log.js': `export const log = [];`,
  },
  'await in a cycle': {
    'main.js': `import { a } from './a.js'; await null; export const m = 1; export const result = a();`,
    'a.js': `import { b } from './b.js'; await b; export const a = () => [b, 'a'];`,
    'b.js': `import { m } from './main.js'; export const b = typeof (() => m);`,
  },
  'dynamic import gives one namespace, evaluated once': {
    'main.js': `const a = await import('./a.js'); const name = './a.js'; const b = await import(name); const c = await import(new URL('a.js', import.meta.url)); import * as d from './a.js'; export const result = [a === b, b === c, c === d, a.n];`,
    'a.js': `globalThis.evaluations = (globalThis.evaluations ?? 0) + 1; export const n = 1;`,
  },
  'a failed module fails for all its importers with one error': {
    'main.js': `const tried = (s) => import(s).then(() => 'fine', (e) => e); const [a, b, c] = [await tried('./a.js'), await tried('./bad.js'), await tried('./bad.js')]; export const result = [a.message, a === b, b === c];`,
    'a.js': `import './bad.js';`,
    'bad.js': `throw new Error('bad');`,
  },
  'a rejected top-level await fails its importers': {
    'main.js': `const tried = (s) => import(s).then(() => 'fine', (e) => e); const a = tried('./a.js'); const b = tried('./bad.js'); export const result = [(await a).message, (await a) === (await b)];`,
    'a.js': `import './bad.js';`,
    'bad.js': `await null; throw new Error('bad');`,
  },
  'import.meta': {
    'main.js': `export const result = [import.meta.url, import.meta.filename, import.meta.dirname, import.meta.resolve('./x.js'), import.meta.resolve('fs'), Object.getPrototypeOf(import.meta)];`,
  },
  'JSON has a default export': {
    'main.js': `import data from './data.json' with { type: 'json' }; const again = await import('./data.json', { with: { type: 'json' } }); export const result = [data, again.default === data, Object.keys(again)];`,
    'data.json': `{ "a": [1] }`,
  },
  'ES modules import CommonJS': {
    'main.js': `import c, { a, b } from './c.cjs'; import * as ns from './c.cjs'; import { default as d } from './d.cjs'; import e from './esm-like.cjs'; import { r } from './re.cjs';
      c.a = 9; export const result = [a, b, c, Object.keys(ns), ns.default === c, d(), e, r];`,
    'c.cjs': `exports.a = 1; exports.b = require('./d.cjs')(); exports.path = typeof __filename + typeof __dirname + module.id.length;`,
    'd.cjs': `module.exports = () => 'd';`,
    'esm-like.cjs': `Object.defineProperty(exports, '__esModule', { value: true }); exports.default = 1;`,
    're.cjs': `module.exports = require('./re2.cjs');`,
    're2.cjs': `exports.r = 'r';`,
  },
  'CommonJS requires ES modules, JSON and packages': {
    'main.cjs': `const e = require('./e.mjs'); const j = require('./j.json'); const u = require('node:util'); const s = require('./j');
      exports.result = [e.default, e.n, e.__esModule, Object.keys(e), j, s === j, typeof u.inspect, this === exports, require.main === module, module.parent];`,
    'e.mjs': `export default 1; export const n = 2;`,
    'j.json': `{ "j": 1 }`,
  },
  'CommonJS cycles give what there is': {
    'main.cjs': `exports.early = 1; const b = require('./b.cjs'); exports.late = 2; exports.result = [b.early, b.late, b.get(), b.main];`,
    'b.cjs': `const m = require('./main.cjs'); exports.early = m.early; exports.late = m.late; exports.get = () => m.late; exports.main = require.main === module;`,
  },
  'a require that fails can be caught': {
    'main.cjs': `let code; try { require('not-there'); } catch (e) { code = e.code; } let c2; try { require('./not-there'); } catch (e) { c2 = e.code; } exports.result = [code, c2];`,
  },
  'sloppy mode in CommonJS': {
    'main.cjs': `undeclared = 1; exports.result = [undeclared, (function () { return this === globalThis; })(), delete globalThis.undeclared];`,
  },
  createRequire: {
    'main.js': `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url); export const result = [require('./c.cjs').c, require('./j.json'), typeof require('fs').readFile, require.resolve('./c.cjs') === import.meta.dirname + '/c.cjs'];`,
    'c.cjs': `exports.c = 1;`,
    'j.json': `[1]`,
  },
  'packages are loaded by Node': {
    'main.js': `import dep, { x } from 'dep'; import fs, { readFileSync as read } from 'fs'; import * as dns from 'dep'; const lazy = await import('dep'); const name = 'dep'; const computed = await import(name); export const result = [dep, x(), fs.readFileSync === read, dns === lazy, lazy === computed, import.meta.resolve(name).endsWith('dep/index.js')];`,
    'node_modules/dep/package.json': `{"type":"module","exports":{"import":"./index.js","require":"./index.cjs"}}`,
    'node_modules/dep/index.js': `export default 'esm'; export function x() { return this; }`,
    'node_modules/dep/index.cjs': `exports.x = 1;`,
  },
  'require takes the require condition of a package': {
    'main.cjs': `const name = 'dep'; exports.result = [require('dep').x, require(name).x];`,
    'node_modules/dep/package.json': `{"type":"module","exports":{"import":"./index.js","require":"./index.cjs"}}`,
    'node_modules/dep/index.js': `export const x = 'esm';`,
    'node_modules/dep/index.cjs': `exports.x = 'cjs';`,
  },
  'evaluation order is depth first': {
    'main.js': `import './a.js'; import './b.js'; import { log } from './log.js'; export { x } from './c.js'; export const result = [...log, 'main'];`,
    'a.js': `import './d.js'; import { log } from './log.js'; log.push('a');`,
    'b.js': `import './a.js'; import './d.js'; import { log } from './log.js'; log.push('b');`,
    'c.js': `import { log } from './log.js'; log.push('c'); export const x = 1;`,
    'd.js': `import './c.js'; import { log } from './log.js'; log.push('d');`,
    'log.js': `export const log = [];`,
  },
  'names of the compiled form may be used': {
    'main.js': `import { $0, $m as $e } from './a.js'; const $d = 1; export default function () {} export const result = [$0, $e, $d];`,
    'a.js': `export const $0 = 'zero', $m = 'm';`,
  },
};

const settle = async (value: unknown): Promise<unknown> =>
  JSON.parse(
    JSON.stringify((value as { result: unknown }).result, (_, item: unknown) =>
      item === undefined ? '<undefined>' : item,
    ),
  ) as unknown;

for (const [name, files] of Object.entries(cases)) {
  test(`as in Node: ${name}`, async (t) => {
    const app = createApp(t, files);
    const isCommonJs = app.entry.endsWith('.cjs');
    const graph = await graphOf(app);
    const actual = await settle(await run(graph));
    Reflect.deleteProperty(globalThis, 'evaluations');
    const native = (await nativeNamespace(path.join(app.root, app.entry), isCommonJs)) as object;
    assert.deepEqual(actual, await settle(native));
  });
}

/** Node's own answer; CommonJS in a process of its own, where it is the main module. */
async function nativeNamespace(file: string, isCommonJs: boolean): Promise<unknown> {
  if (!isCommonJs) return (await import(pathToFileURL(file).href)) as unknown;
  const { execFileSync } = await import('node:child_process');
  const script = `process.on('exit', () => console.log(JSON.stringify({ result: require.cache[require.resolve(process.argv[1])].exports.result }, (k, v) => v === undefined ? '<undefined>' : v)))`;
  const wrapper = `${file}.print.cjs`;
  const { writeFileSync } = await import('node:fs');
  writeFileSync(wrapper, script);
  return JSON.parse(
    execFileSync(process.execPath, ['--require', wrapper, file], { encoding: 'utf8' }),
  ) as unknown;
}
