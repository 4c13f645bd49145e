/** Where specifiers lead. Node.js, Packages and ES modules: "Resolution algorithm" */

import { testAsInNode } from './native-oracle.ts';

testAsInNode({
  // Node.js, ES modules: "Packages" are Node's own
  'packages are loaded by Node': {
    'main.js': `import dep, { x } from 'dep'; import fs, { readFileSync as read } from 'fs'; import * as dns from 'dep'; const lazy = await import('dep'); const name = 'dep'; const computed = await import(name); export const result = [dep, x(), fs.readFileSync === read, dns === lazy, lazy === computed, import.meta.resolve(name).endsWith('dep/index.js')];`,
    'node_modules/dep/package.json': `{"type":"module","exports":{"import":"./index.js","require":"./index.cjs"}}`,
    'node_modules/dep/index.js': `export default 'esm'; export function x() { return this; }`,
    'node_modules/dep/index.cjs': `exports.x = 1;`,
  },
  // Node.js, Packages: "Conditional exports"
  'require takes the require condition of a package': {
    'main.cjs': `const name = 'dep'; exports.result = [require('dep').x, require(name).x];`,
    'node_modules/dep/package.json': `{"type":"module","exports":{"import":"./index.js","require":"./index.cjs"}}`,
    'node_modules/dep/index.js': `export const x = 'esm';`,
    'node_modules/dep/index.cjs': `exports.x = 'cjs';`,
  },
  // Node.js, Packages: "Self-referencing a package using its name"
  'a package refers to itself by its name': {
    'main.js': `import { v } from 'self/sub'; import * as direct from './sub.js'; const n = 'self/sub'; export const result = [v, (await import('self/sub')) === direct, (await import(n)) === direct, await import('self/hidden.js').catch((e) => e.code)];`,
    'package.json': `{"name":"self","type":"module","exports":{".":"./main.js","./sub":"./sub.js"}}`,
    'sub.js': `export const v = 'sub';`,
    'hidden.js': ``,
  },
  // Node.js, Packages: "Subpath imports"
  "subpath imports are the package's own": {
    'main.js': `import i from '#i'; import { c } from '#c'; import d from '#dep'; import w from '#w/one.js'; import { createRequire } from 'node:module'; const require = createRequire(import.meta.url); export const result = [i, c, d, w, require('#c').c, (await import('#i')).default, await import('#none').catch((e) => e.code)];`,
    'package.json': `{"type":"module","imports":{"#i":"./i.js","#c":{"import":"./ci.js","require":"./cr.cjs"},"#dep":"dep","#w/*":"./w/*"}}`,
    'i.js': `export default 'i';`,
    'ci.js': `export const c = 'import';`,
    'cr.cjs': `exports.c = 'require';`,
    'node_modules/dep/package.json': `{"exports":{"node":"./n.js","default":"./d.js"}}`,
    'node_modules/dep/n.js': `module.exports = 'node';`,
    'node_modules/dep/d.js': `module.exports = 'default';`,
    'w/one.js': `export default 'one';`,
  },
  // Node.js, Packages: "Determining module system"
  'the nearest package.json says what a file is': {
    'main.mjs': `import x from './x.cjs'; import y from './sub/y.js'; import { z } from './esm/z.js'; export const result = [x, y, z];`,
    'x.cjs': `module.exports = typeof require;`,
    'sub/package.json': `{"type":"commonjs"}`,
    'sub/y.js': `module.exports = typeof module;`,
    'esm/package.json': `{"type":"module"}`,
    'esm/z.js': `export const z = typeof require;`,
  },
  // Node.js, Packages: "Syntax detection"
  'syntax says it where no package.json does': {
    'main.mjs': `import x from './x.js'; import { y } from './y.js'; export const result = [x, y];`,
    'package.json': `{}`,
    'x.js': `module.exports = typeof require;`,
    'y.js': `export const y = typeof require;`,
  },
});
