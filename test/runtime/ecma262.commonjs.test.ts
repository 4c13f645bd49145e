/** CommonJS, alone and with ES modules. Node.js, Modules: CommonJS modules */

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { createApp, graphOf, run } from './module-graph-fixture.ts';
import { testAsInNode } from './native-oracle.ts';

testAsInNode({
  // Node.js, ES modules: "CommonJS Namespaces"
  'ES modules import CommonJS': {
    'main.js': `import c, { a, b } from './c.cjs'; import * as ns from './c.cjs'; import { default as d } from './d.cjs'; import e from './esm-like.cjs'; import { r } from './re.cjs';
      c.a = 9; export const result = [a, b, c, Object.keys(ns), ns.default === c, d(), e, r];`,
    'c.cjs': `exports.a = 1; exports.b = require('./d.cjs')(); exports.path = typeof __filename + typeof __dirname + module.id.length;`,
    'd.cjs': `module.exports = () => 'd';`,
    'esm-like.cjs': `Object.defineProperty(exports, '__esModule', { value: true }); exports.default = 1;`,
    're.cjs': `module.exports = require('./re2.cjs');`,
    're2.cjs': `exports.r = 'r';`,
  },
  // Node.js, CommonJS modules: "Loading ECMAScript modules using require()"
  'CommonJS requires ES modules, JSON and packages': {
    'main.cjs': `const e = require('./e.mjs'); const j = require('./j.json'); const u = require('node:util'); const s = require('./j');
      exports.result = [e.default, e.n, e.__esModule, Object.keys(e), j, s === j, typeof u.inspect, this === exports, require.main === module, module.parent];`,
    'e.mjs': `export default 1; export const n = 2;`,
    'j.json': `{ "j": 1 }`,
  },
  // Node.js, CommonJS modules: "Cycles"
  'CommonJS cycles give what there is': {
    'main.cjs': `exports.early = 1; const b = require('./b.cjs'); exports.late = 2; exports.result = [b.early, b.late, b.get(), b.main];`,
    'b.cjs': `const m = require('./main.cjs'); exports.early = m.early; exports.late = m.late; exports.get = () => m.late; exports.main = require.main === module;`,
  },
  // Node.js, CommonJS modules: "All together"
  'a require that fails can be caught': {
    'main.cjs': `let code; try { require('not-there'); } catch (e) { code = e.code; } let c2; try { require('./not-there'); } catch (e) { c2 = e.code; } exports.result = [code, c2];`,
  },
  // ECMA-262 11.2.2 Strict Mode Code: only where it is asked for
  'sloppy mode in CommonJS': {
    'main.cjs': `undeclared = 1; exports.result = [undeclared, (function () { return this === globalThis; })(), delete globalThis.undeclared];`,
  },
  // Node.js, node:module: "module.createRequire(filename)"
  createRequire: {
    'main.js': `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url); export const result = [require('./c.cjs').c, require('./j.json'), typeof require('fs').readFile, require.resolve('./c.cjs') === import.meta.dirname + '/c.cjs'];`,
    'c.cjs': `exports.c = 1;`,
    'j.json': `[1]`,
  },
  // Node.js, CommonJS modules: "The module scope"
  'the names of the module wrapper': {
    'main.cjs': `exports.result = [typeof require, typeof module, __filename.endsWith('main.cjs'), __dirname === require('path').dirname(__filename), arguments.length, arguments[0] === exports, this === module.exports, (() => this === exports)(), f(), typeof v]; var v = 1; function f() { return typeof global; }`,
  },
  // Node.js, CommonJS modules: "The module object"
  'module: id, filename, path, paths, loaded, parent, children': {
    'main.cjs': `const b = require('./b.cjs'); require('./c.cjs'); exports.result = [Object.keys(module), module.id, module.filename === __filename, module.path === __dirname, module.paths[0] === __dirname + '/node_modules', module.loaded, module.parent, module.constructor.name, module instanceof require('module'), module.children.map((c) => [c.id === c.filename, c.loaded, c.parent === module, c.children.length]), b, require('./b.cjs') === b, module.children.length, module.require('./b.cjs') === b];`,
    'b.cjs': `exports.seen = [module.parent.id, module.id === __filename, module.loaded, require.main === module, require.main === module.parent];`,
    'c.cjs': `require('./b.cjs');`,
  },
  // Node.js, CommonJS modules: "exports shortcut"
  'module.exports, exports and this': {
    'main.cjs': `exports = module.exports = { get result() { return [require('./a.cjs'), require('./b.cjs'), typeof require('./c.cjs'), require('./f.cjs')(), require('./f.cjs').helper, require('./r.cjs')]; } };`,
    'a.cjs': `exports.x = 1; module.exports.y = 2; exports = { z: 1 };`,
    'b.cjs': `this.q = 1; module.exports.r = exports === this;`,
    'c.cjs': `module.exports = class C {}; exports.lost = 1;`,
    'f.cjs': `module.exports = exports = function main() { return 1; }; exports.helper = 2;`,
    'r.cjs': `#!/usr/bin/env node
exports.before = 1; if (exports.before) return; exports.after = 1;`,
  },
  // Node.js, CommonJS modules: "Cycles"
  'a cycle with a module.exports of its own': {
    'main.cjs': `exports.a = 1; const b = require('./b.cjs'); exports.result = [b, require('./c.cjs')];`,
    'b.cjs': `const m = require('./main.cjs'); module.exports = [Object.keys(m), m.a, m.result, require('./c.cjs')];`,
    'c.cjs': `module.exports = 'c';`,
  },
  // Node.js, CommonJS modules: "require.resolve(request[, options])"
  'require.resolve': {
    'main.cjs': `const tried = (f) => { try { return f(); } catch (e) { return e.name + ': ' + (e.code ?? e.message); } };
const r = (x, o) => tried(() => { const v = require.resolve(x, o); return v.startsWith(__dirname) ? v.slice(__dirname.length) : v; }); exports.result = [r('./b.cjs'), r('./dir'), r('./data'), r('fs'), r('node:fs'), r('dep'), r('./nope').slice(0, 24), r('nope').slice(0, 24), r('x', { paths: [__dirname + '/sub'] }), r('./b.cjs', { paths: [__dirname + '/dir'] }), r('#i'), r('self'), require.resolve.paths('fs'), require.resolve.paths('./x')[0] === __dirname, require.resolve.paths('x')[0] === __dirname + '/node_modules'];`,
    'package.json': `{"name":"self","exports":"./b.cjs","imports":{"#i":"./b.cjs"}}`,
    'b.cjs': ``,
    'dir/index.js': ``,
    'dir/b.cjs': ``,
    'data.json': `1`,
    'node_modules/dep/index.js': ``,
    'sub/node_modules/x/index.js': ``,
  },
  // Node.js, CommonJS modules: "Folders as modules", "File modules"
  'folders, extensions and main': {
    'main.cjs': `const n = './dir'; exports.result = [require('./dir'), require('./dir/'), require('./d2'), require('./x'), require('./y'), require('.'), require(n), require('./sub/up')];`,
    'package.json': `{}`,
    'dir/index.js': `module.exports = 'dir';`,
    'd2/package.json': `{"main":"lib/m"}`,
    'd2/lib/m.js': `module.exports = 'm';`,
    'x.js': `module.exports = 'js';`,
    'x.json': `"json"`,
    'y.json': `"json"`,
    'index.js': `module.exports = 'index';`,
    'sub/up.js': `module.exports = require('..');`,
  },
  // Node.js, CommonJS modules: "require.cache"
  'require.cache: what is taken out runs again, what is put in is used': {
    'main.cjs': `const b = require('./b.cjs'); const id = require.resolve('./b.cjs'); const before = [require.cache[id].exports === b, require.cache[__filename] === module, id in require.cache, Object.keys(require.cache).includes(id), require.cache[id].id === id]; delete require.cache[id]; before.push(id in require.cache); const again = require('./b.cjs'); const j = require('./j.json'); delete require.cache[require.resolve('./j.json')]; const k = require('./j.json'); require.cache[id].exports = 'replaced'; const replaced = require('./b.cjs'); require.cache[id] = { exports: 'mock', loaded: true, id }; exports.result = [...before, again === b, again.n, b.n, j === k, k, replaced, require('./b.cjs'), Object.keys(require), Object.keys(require.extensions)];`,
    'b.cjs': `globalThis.ecma262n = (globalThis.ecma262n ?? 0) + 1; exports.n = globalThis.ecma262n;`,
    'j.json': `{"a":1}`,
  },
  // Node.js, CommonJS modules: "require(id)"
  'what throws is required anew, what is no specifier is an error': {
    'main.cjs': `const tried = (f) => { try { return f(); } catch (e) { return e.name + ': ' + (e.code ?? e.message); } };
const n = globalThis.ecma262m; exports.result = [tried(() => require('')), tried(() => require()), tried(() => require(1)), tried(() => require({})), tried(() => require('./throws.cjs')), tried(() => require('./throws.cjs')), module.children.length, tried(() => require('node:nope'))]; delete globalThis.ecma262m;`,
    'throws.cjs': `globalThis.ecma262m = (globalThis.ecma262m ?? 0) + 1; throw new Error('t' + globalThis.ecma262m);`,
  },
  // Node.js, CommonJS modules: "Loading ECMAScript modules using require()"
  'an ES module is required as a namespace, or as its "module.exports"': {
    'main.cjs': `const a = require('./a.mjs'), b = require('./b.mjs'), c = require('./c.mjs'), d = require('./d.mjs'); exports.result = [Object.keys(a), a.__esModule, a.default, Object.keys(b), b.__esModule, c, Object.keys(d), d.__esModule, Object.prototype.toString.call(a), require('./a.mjs') === a, Object.getOwnPropertyDescriptor(a, 'x')];`,
    'a.mjs': `export default 1; export const x = 2;`,
    'b.mjs': `export const x = 2;`,
    'c.mjs': `const v = 'mx'; export { v as 'module.exports' }; export default 2;`,
    'd.mjs': `export const __esModule = false; export default 1;`,
  },
  // Node.js, CommonJS modules: "Loading ECMAScript modules using require()"
  'an ES module that throws throws the same again': {
    'main.cjs': `const tried = () => { try { require('./b.mjs'); } catch (e) { return e; } }; const a = tried(), b = tried(); exports.result = [a === b, a.name, a.message];`,
    'b.mjs': `throw new RangeError('b');`,
  },
  // Node.js, ES modules: "CommonJS Namespaces"
  'imported, default is always module.exports': {
    'main.mjs': `import d, { x } from './c.cjs'; import { default as e, 'module.exports' as m } from './c.cjs'; const n = await import('./c.cjs'); import s from './s.cjs'; export const result = [d, e === d, m === d, n.default === d, Object.keys(n), x, s];`,
    'c.cjs': `exports.__esModule = true; exports.default = 7; exports.x = 1;`,
    's.cjs': `module.exports = [module.parent === undefined, module.id === __filename, require.main === undefined, module.loaded];`,
  },
  // Node.js, ES modules: cjs-module-lexer
  'names of CommonJS are those of its re-exports, too, with the values at its end': {
    'main.mjs': `import { a, b, late } from './star.cjs'; import * as ns from './star.cjs'; export const result = [a, b, late, Object.keys(ns)]; `,
    'star.cjs': `function __exportStar(m) { for (const p in m) exports[p] = m[p]; } Object.defineProperty(exports, '__esModule', { value: true }); __exportStar(require('./x.cjs')); exports.b = 'b'; exports.late = 1; exports.late = 2;`,
    'x.cjs': `exports.a = 'a';`,
  },
});

// Node.js, Errors: ERR_REQUIRE_CYCLE_MODULE. TypeScript that was written for CommonJS has such cycles.
test('CommonJS that requires an ES module of its own cycle gets what there is so far, where Node refuses', async (t) => {
  const app = createApp(t, {
    'main.mjs': `import { early } from './c.cjs'; export const late = 1; export function hoisted() { return 2; } export const result = early;`,
    'c.cjs': `const main = require('./main.mjs'); exports.early = [main.hoisted(), (() => { try { return main.late; } catch (error) { return error.name; } })()];`,
  });
  assert.deepEqual((await run(await graphOf(app)))['result'], [2, 'ReferenceError']);
  const native = import(pathToFileURL(path.join(app.root, app.entry)).href);
  await assert.rejects(native, { code: 'ERR_REQUIRE_CYCLE_MODULE' });
});
