/** What a module exports, under which names. */

import { testAsInNode } from './native-oracle.ts';

testAsInNode({
  // 16.2.3.4 ExportedBindings; 16.2.3.5 ExportedNames
  'names and forms of exports': {
    'main.js': `import * as a from './a.js'; export const result = { ...a, keys: Object.keys(a), tag: Object.prototype.toString.call(a), proto: Object.getPrototypeOf(a) };`,
    'a.js': `const a = 1, b = 2; export { a as x, a as 'c-d', b as default }; export const [p, { q, ...r }] = [1, { q: 2, s: 3 }]; export * as ns from './b.js'; export * from './b.js'; export { z as y } from './b.js';`,
    'b.js': `export const z = 1; export default 5; export const w = 2;`,
  },
  // 16.2.3 ModuleExportName; 16.2.1.1 early errors
  'names may be any string': {
    'main.js': `import { 'a b' as x, '' as e, default as d, '10' as n } from './a.js'; export { 'a b' as 'c d' } from './a.js'; export * as 'n s' from './a.js'; import * as self from './main.js'; export const result = [x, e, d, n, Reflect.ownKeys(self).filter((key) => typeof key === 'string')];`,
    'a.js': `const v = 1; export { v as 'a b', v as '', v as 'default', v as '10', v as '\\u{1F600}' };`,
  },
  // 16.2.3.7 ExportDeclaration evaluation: NamedEvaluation with "default"
  'anonymous default exports are named default': {
    'main.js': `import a from './a.js'; import b from './b.js'; import c from './c.js'; import d from './d.js'; import e from './e.js'; import f from './f.js'; export const result = [a.name, b.name, c.name, d.name, e.name, f.name];`,
    'a.js': `export default () => {}`,
    'b.js': `export default class {}`,
    'c.js': `export default (class { static name = 'own'; })`,
    'd.js': `export default async function () {}`,
    'e.js': `export default (function* () {})`,
    'f.js': `export default function named() {}`,
  },
  // 15.7.16 ClassDefinitionEvaluation; 8.4.4 IsAnonymousFunctionDefinition
  'a default export is named before its static parts run, and parentheses keep it anonymous': {
    'main.js': `import c from './c.js'; import d from './d.js'; import e from './e.js'; import f from './f.js'; import g from './g.js'; import h from './h.js'; export const result = [c.x, c.name, d.x, typeof d.name, e.name, f.name, g.name, h.name, Object.getOwnPropertyDescriptor(g, 'name')];`,
    'c.js': `export default class { static x = this.name; }`,
    'd.js': `export default class extends Object { static x = this.name; static name() {} }`,
    'e.js': `export default (0, function () {})`,
    'f.js': `export default ((function () {}))`,
    'g.js': `export default async () => {}`,
    'h.js': `export default (() => {}, () => {})`,
  },
  // 16.2.1.7.3.1 InitializeEnvironment, step 24
  'a default function is hoisted': {
    'main.js': `import f from './main.js'; export const result = [f(), f.name]; export default function () { return 1; }`,
  },
  // 16.2.1.7.1 ParseModule, step 10: it is an indirect export
  'a re-exported import is the same binding': {
    'main.js': `import { a, ns } from './a.js'; import { up } from './b.js'; up(); export const result = [a, ns.n];`,
    'a.js': `import { n } from './b.js'; import * as ns from './b.js'; export { n as a, ns };`,
    'b.js': `export let n = 1; export const up = () => ++n;`,
  },
  // 16.2.1.7.2.2 ResolveExport, step 7
  'a name of two stars that is one binding is no conflict': {
    'main.js': `import { v } from './a.js'; import * as all from './a.js'; export const result = [v, Object.keys(all)];`,
    'a.js': `export * from './b.js'; export * from './c.js';`,
    'b.js': `export * from './d.js'; export const both = 1;`,
    'c.js': `export * from './d.js'; export const both = 2;`,
    'd.js': `export const v = 1;`,
  },
  // 16.2.1.7.2.2 ResolveExport, steps 4 to 7
  'a name of the module itself hides those of its stars': {
    'main.js': `import { x, y } from './a.js'; import * as a from './a.js'; export const result = [x, y, Object.keys(a)];`,
    'a.js': `export const x = 'own'; export { z as y } from './b.js'; export * from './b.js'; export * from './c.js';`,
    'b.js': `export const x = 'b', y = 'b', z = 'z'; export default 'b';`,
    'c.js': `export const y = 'c';`,
  },
  // 16.2.1.7.2.2 ResolveExport, step 2
  'stars in a cycle': {
    'main.js': `import { a, b } from './a.js'; export const result = [a, b];`,
    'a.js': `export * from './b.js'; export const a = 1;`,
    'b.js': `export * from './a.js'; export const b = 2;`,
  },
  // 16.2.1.7.2.1 GetExportedNames, step 2
  'stars in a cycle give what either has': {
    'main.js': `import { x } from './a.js'; import * as a from './a.js'; import * as b from './b.js'; export const result = [x, Object.keys(a), Object.keys(b)];`,
    'a.js': `export * from './b.js'; export const own = 1;`,
    'b.js': `export * from './a.js'; export const x = 1;`,
  },
});
