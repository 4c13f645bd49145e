/** What TypeScript adds. Node.js, Modules: TypeScript, for what it strips itself; the handbook of TypeScript for the rest. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createApp, graphOf, run, type Files, type Namespace } from './module-graph-fixture.ts';
import { testAsInNode } from './native-oracle.ts';

testAsInNode({
  // Node.js, Modules: TypeScript, "Type stripping"
  'types, satisfies, as, abstract classes, overloads and declare are only for the compiler': {
    'main.ts': `import type { A } from './nope.ts'; import { type B, c } from './c.ts'; export type { A } from './nope.ts'; export { type B } from './c.ts';
      type T = A & B; let v: number = c satisfies number as number; const w = v!; const f = <T,>(x: T) => x; function g(this: Date, x?: number): asserts x is 1 {}
      interface I {} abstract class Ab { abstract m(): void; declare d: number; protected abstract readonly x: number; static #p = 1; }
      function o(a: string): string; function o(a: number): number; function o(a: any) { return a; }
      declare const dc: number; declare function df(): void; declare module 'x' {} declare global { interface Window {} }
      class Im extends Ab implements I { override m() {} x = 1; y?: string; [k: string]: unknown; static async *gen<T>(): AsyncGenerator<T> {} }
      export const result = [w, f(1), o(2), Object.keys(new Im()), typeof Ab, typeof g, Im.name];`,
    'c.ts': `export type B = 1; export const c = 1;`,
  },
  'a declared field is none, one without a value is undefined': {
    'main.ts': `class A { x = 1; } class B extends A { declare x: number; y!: string; z?: number; } export const result = [new B().x, Object.keys(new B())];`,
  },
  // Node.js, Modules: TypeScript, "Determining module system"
  'extensions say what a file is': {
    'main.mts': `import c from './c.cts'; import { t } from './t.ts'; export const result = [c.x, t];`,
    'c.cts': `exports.x = typeof require as string;`,
    't.ts': `export const t: string = typeof require;`,
  },
});

interface Compiled {
  readonly files: Files;
  readonly result: unknown;
  readonly options?: object;
}

const compiled: Readonly<Record<string, Compiled>> = {
  // TypeScript handbook, "Enums"
  'enums have both directions, computed members and merge': {
    files: {
      'main.ts': `import { CE } from './e'; import * as all from './e'; enum E { A, B = 5, C, D = 'd'.length, S = 's' } enum E { Z = 9 } namespace E { export const z = 7; }
        declare enum None { Q } export const result = [E.A, E[5], E.C, E.D, E.S, E.Z, E.z, CE.X, CE.Y, all.M.A, Object.keys(all)];`,
      'e.ts': `export const enum CE { X = 'x', Y = 1 << 2 } export enum M { A = 1 }`,
    },
    result: [0, 'B', 6, 1, 's', 9, 7, 'x', 4, 1, ['CE', 'M']],
  },
  // "Namespaces", "Declaration Merging"
  'namespaces are objects, nested, merged with functions and classes, exported': {
    files: {
      'main.ts': `import { N } from './n'; import { E } from './n'; namespace A.B { export const x = 1; export function f() { return x + y; } let y = 2; export namespace C { export class K { v = x; } } }
        namespace Types { export interface I {} } function fn() {} namespace fn { export const p = 1; } class Kl {} namespace Kl { export const q = 2; }
        export const result = [A.B.x, A.B.f(), new A.B.C.K().v, fn.p, Kl.q, N.x, N.inc(), N.x, E.A];`,
      'n.ts': `export namespace N { export const x = 1; export function inc() { return x + 1; } } namespace M { export enum X { A = 3 } } export import E = M.X;`,
    },
    result: [1, 3, 1, 1, 2, 1, 2, 1, 3],
  },
  // "Classes": parameter properties; tsconfig "useDefineForClassFields"
  'parameter properties are there before the fields are initialized': {
    files: {
      'main.ts': `class A { c = this.a; constructor(public a: number, private readonly b = 2, protected d?: string) {} get s() { return this.a + this.b; } }
        class B extends A { constructor(public e: number) { super(e); } } export const result = [{ ...new A(1) }, new A(1).s, new B(3).e];`,
    },
    options: { useDefineForClassFields: false },
    result: [{ a: 1, b: 2, c: 1, d: undefined }, 3, 3],
  },
  'fields are assigned where the target says so': {
    files: {
      'main.ts': `class A { x = 1; constructor() { (this as any).y = 5; } } class B extends A { y!: number; z?: number; } export const result = [Object.keys(new B()), new B().y];`,
    },
    options: { target: 'es2020' },
    result: [['x', 'y'], 5],
  },
  // "Decorators" with "experimentalDecorators" and "emitDecoratorMetadata"
  'legacy decorators run in their order, with the metadata of types': {
    files: {
      'main.ts': `const log: string[] = []; const C = (x: string) => (t: any) => { log.push('c' + x); }; const P = (t: any, k: string, d?: any) => { log.push('p' + k); }; const A = (t: any, k: any, i: number) => { log.push('a' + String(k) + i); };
        (Reflect as any).metadata = (k: string, v: any) => (t: any, p?: string) => { log.push([k.slice(7), p ?? '', [v].flat().map((x) => x?.name).join('+')].join()); };
        class Dep {} @C('1') @C('2') class K { @P field!: string; constructor(@A dep: Dep, @A s: string) {} @P m(@A x: number): Promise<void> { return null as any; } @P static st(): Date { return null as any; } }
        delete (Reflect as any).metadata; export const result = log;`,
    },
    result: [
      'type,field,String',
      'pfield',
      'returntype,m,Promise',
      'paramtypes,m,Number',
      'type,m,Function',
      'am0',
      'pm',
      'returntype,st,Date',
      'paramtypes,st,',
      'type,st,Function',
      'pst',
      'paramtypes,,Dep+String',
      'aundefined1',
      'aundefined0',
      'c2',
      'c1',
    ],
  },
  'a class decorator may replace the class, for its own code and for importers': {
    files: {
      'main.ts': `import K, { L } from './k'; export const result = [new K().extra, new L().extra, L.self() === L, K.self() === K];`,
      'k.ts': `const R = (t: any): any => class extends t { extra = 1; }; @R export class L { static self() { return L; } } @R export default class D { static self() { return D; } }`,
    },
    result: [1, 1, true, true],
  },
  // "JSX"
  "JSX by a factory of one's own": {
    files: {
      'main.tsx': `const h = (t: any, p: any, ...c: any[]) => [t.name ?? t, p, c]; const F = 'frag'; const X = (p: { a: number }) => null; const rest = { q: 1 }; export const result = [<div id="a" {...rest}>x{1}<X a={2} /></div>, <>y</>];`,
    },
    options: { jsx: 'react', jsxFactory: 'h', jsxFragmentFactory: 'F' },
    result: [
      ['div', { id: 'a', q: 1 }, ['x', 1, ['X', { a: 2 }, []]]],
      ['frag', null, ['y']],
    ],
  },
  'JSX by the runtime of a package': {
    files: {
      'main.tsx': `export const result = [<div a="1">x</div>, <></>];`,
      'node_modules/pre/package.json': '{"name":"pre","exports":{"./jsx-runtime":"./j.js"}}',
      'node_modules/pre/j.js': `exports.jsx = (t, p) => [t, p]; exports.Fragment = 'F';`,
    },
    options: { jsx: 'react-jsx', jsxImportSource: 'pre' },
    result: [
      ['div', { a: '1', children: 'x' }],
      ['F', {}],
    ],
  },
  // "Modules": import elision, and "verbatimModuleSyntax"
  'imports of types alone vanish, with their modules': {
    files: {
      'main.ts': `import { Only } from './only'; import './side'; import * as unused from './unused'; let x: Only; let y: typeof unused; export const result = (globalThis as any).ecma262ran; delete (globalThis as any).ecma262ran;`,
      'only.ts': `(globalThis as any).ecma262ran += 'only'; export interface Only {}`,
      'side.ts': `(globalThis as any).ecma262ran = 'side';`,
      'unused.ts': `(globalThis as any).ecma262ran += 'unused';`,
    },
    result: 'side',
  },
  'verbatimModuleSyntax keeps what does not say type': {
    files: {
      'main.ts': `import { type O } from './a.ts'; import type { P } from './b.ts'; export const result = (globalThis as any).ecma262ran; delete (globalThis as any).ecma262ran;`,
      'a.ts': `(globalThis as any).ecma262ran = 'a'; export type O = 1;`,
      'b.ts': `(globalThis as any).ecma262ran += 'b'; export type P = 1;`,
    },
    options: { verbatimModuleSyntax: true },
    result: 'a',
  },
  // "Module Resolution": extensions that are to be, and "paths"
  'a file is found by its name in the output, without extension, by its folder and by paths': {
    files: {
      'main.ts': `import a from './a.js'; import b from './b'; import c from './c.ts'; import d from './dir'; import e from './m.mjs'; import p from '@/p'; import x from 'exact'; import l from 'lib/l'; export const result = [a, b, c, d, e, p, x, l, (await import('@/p')).default];`,
      'a.ts': `export default 'a'`,
      'b.tsx': `export default 'b'`,
      'c.ts': `export default 'c'`,
      'dir/index.ts': `export default 'd'`,
      'm.mts': `export default 'm'`,
      'src/p.ts': `export default 'p'`,
      'src/x.ts': `export default 'x'`,
      'src/lib/l.ts': `export default 'l'`,
    },
    options: { baseUrl: './src', paths: { '@/*': ['./*'], exact: ['./x.ts'] } },
    result: ['a', 'b', 'c', 'd', 'm', 'p', 'x', 'l', 'p'],
  },
  // "Modules": `import = require()` in an ES module, where the compiler makes a `require` of its own
  'import = require() is there in an ES module': {
    files: {
      'main.ts': `import fs = require('node:fs'); import c = require('./c.cjs'); import a = c.a; import type T = require('./nope.cjs'); export const result = [typeof fs.readFileSync, c.a, a];`,
      'c.cjs': `exports.a = 1;`,
    },
    result: ['function', 1, 1],
  },
  // "Modules": "module": "commonjs"
  'a file with imports has the names of CommonJS, too, where its package is no ES module': {
    files: {
      'package.json': '{}',
      'main.ts': `import path from 'node:path'; import K = require('./k'); import d, { seen } from './k2'; import data from './data.json';
        export const result = [path.basename(__dirname) !== '', path.basename(__filename), require('./lazy').n, new K().v, new d().v, seen, require.main === module, require.resolve('./lazy.ts') === path.join(__dirname, 'lazy.ts'), typeof module.exports, data.x];`,
      'k.ts': `class K { v = 1; } export = K;`,
      'k2.ts': `import './k'; export const seen = require.main === module; export default class { v = 2; }`,
      'lazy.ts': `export const n = 3;`,
      'data.json': `{ "x": 4 }`,
    },
    result: [true, 'main.ts', 3, 1, 2, false, true, true, 'object', 4],
  },
  // "Modules": `export =` and `import = require()`
  'export = is module.exports, import = require() gets it': {
    files: {
      'main.cts': `import K = require('./k.cts'); import fs = require('node:fs'); exports.result = [new K().v, typeof fs.readFileSync];`,
      'k.cts': `class K { v = 1; } export = K;`,
    },
    result: [1, 'function'],
  },
};

for (const [name, { files, result, options }] of Object.entries(compiled)) {
  test(`TypeScript: ${name}`, async (t) => {
    const compilerOptions = { experimentalDecorators: true, emitDecoratorMetadata: true, ...options };
    const app = createApp(t, { 'tsconfig.json': JSON.stringify({ compilerOptions }), ...files });
    const namespace = await run(await graphOf(app));
    const from = 'result' in namespace ? namespace : (namespace['default'] as Namespace);
    assert.deepEqual(from['result'], result);
  });
}
