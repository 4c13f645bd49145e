/** Imported and exported bindings: live, in their temporal dead zone, constant for the importer. */

import { testAsInNode } from './native-oracle.ts';

testAsInNode({
  // 9.1.1.5 Module Environment Records
  'live bindings are seen by importers': {
    'main.js': `import { n, up } from './a.js'; const before = n; up(); export const result = [before, n];`,
    'a.js': `export let n = 1; export const up = () => { n++; n += 1; [n] = [n * 10]; ({ n } = { n: n + 1 }); for (n of [n]); };`,
  },
  // 16.2.1.7.3.1 InitializeEnvironment, step 24: functions are there before evaluation
  'functions are hoisted in a cycle': {
    'main.js': `import { a } from './a.js'; export function b() { return 'b'; } export default function () { return 'd'; } export const result = a;`,
    'a.js': `import d, { b } from './main.js'; export const a = b() + d() + d.name;`,
  },
  // 9.1.1.1.6 GetBindingValue: a ReferenceError while it is uninitialized
  'a binding of a cycle throws before it is initialized': {
    'main.js': `import { seen } from './a.js'; export const x = 1; export let y; export var z = 3; export class K {} export const result = seen;`,
    'a.js': `import * as m from './main.js'; import { x, z, K } from './main.js';
      const tried = (f) => { try { return String(f()); } catch (e) { return e.name + ': ' + e.message; } };
      export const seen = [tried(() => x), tried(() => m.y), tried(() => z), tried(() => K)];`,
  },
  // 13.5.3.1 typeof, step 2: GetValue of what is resolvable
  'typeof throws, too, before a binding is initialized': {
    'main.js': `import { seen } from './a.js'; export const x = 1; export const result = seen;`,
    'a.js': `import { x } from './main.js'; export let seen; try { seen = typeof x; } catch (e) { seen = e.name; }`,
  },
  // 9.1.1.1.6 GetBindingValue, of a module outside of the cycle
  'a hoisted function of a cycle finds what is not evaluated yet uninitialized': {
    'main.js': `import { seen } from './n.js'; import { x, g } from './x.js'; export function f() { return x; } export function h() { return g(); } export const result = [seen, f(), h().name];`,
    'n.js': `import { f, h } from './main.js'; const tried = (f) => { try { return f(); } catch (e) { return e.name + ': ' + e.message; } }; export const seen = [tried(f), tried(h)];`,
    'x.js': `import { y } from './y.js'; export const x = 1; export function g() { return y; }`,
    'y.js': `export class y {}`,
  },
  // 9.1.1.1.6 GetBindingValue; 16.2.1.6.1.3.1 InnerModuleEvaluation
  'a sibling of a module that awaits finds its bindings uninitialized': {
    'main.js': `import { x } from './x.js'; import { seen } from './n.js'; export function f() { return x; } export const result = [seen, x];`,
    'n.js': `import { f } from './main.js'; export let seen; try { seen = f(); } catch (e) { seen = e.name + ': ' + e.message; }`,
    'x.js': `await null; export const x = 1;`,
  },
  // 9.1.1.1.6 GetBindingValue
  'what a module that failed did not initialize stays so': {
    'main.js': `const e = await import('./a.js').catch((e) => e.message); const tried = (f) => { try { return f(); } catch (e) { return e.name; } }; export const result = [e, tried(globalThis.ecma262get), tried(globalThis.ecma262early)]; delete globalThis.ecma262get; delete globalThis.ecma262early;`,
    'a.js': `import './b.js'; export const early = 1; throw new Error('a'); export const late = 2;`,
    'b.js': `import { early, late } from './a.js'; globalThis.ecma262get = () => late; globalThis.ecma262early = () => early;`,
  },
  // 9.1.1.5.1 GetBindingValue: the target environment is asked at each read
  'a cycle sees values once they are there': {
    'main.js': `import { get } from './a.js'; export const x = 1; export const result = get();`,
    'a.js': `import { x } from './main.js'; export const get = () => x;`,
  },
  // 16.2.1.6.1.1.1 InnerModuleLoading: a module that is being loaded is not loaded again
  'a module may import itself': {
    'main.js': `import * as self from './main.js'; import { b as c } from './main.js'; export const a = 1; export function b() { return self.a; } export const result = [c(), 'b' in self];`,
  },
  // 16.2.3.7 ExportDeclaration evaluation: `*default*` is a binding of its own
  'a default export of an expression is not live, one of a function is': {
    'main.js': `import a, { set } from './a.js'; import f, { setF } from './f.js'; set(2); setF(); export const result = [a, f];`,
    'a.js': `let a = 1; export default a; export const set = (v) => { a = v; };`,
    'f.js': `export default function f() {} export const setF = () => { f = 7; };`,
  },
  // 9.1.1.5.5 CreateImportBinding: immutable, so 9.1.1.1.5 SetMutableBinding throws
  'an import can not be written': {
    'main.js': `import { n } from './a.js'; const tried = (f) => { try { return f(); } catch (e) { return e.name + e.message; } };
      export const result = [tried(() => { n = 2; }), tried(() => { n++; }), tried(() => { [n] = [1]; }), tried(() => { ({ n } = { n: 1 }); }), tried(() => { for (n of [1]); }), n];`,
    'a.js': `export let n = 1;`,
  },
  // 9.1.1.5.4 GetThisBinding; 13.3.6.2 EvaluateCall: an environment reference has no this
  'this is undefined in a module and in a called import': {
    'main.js': `import { f, tag, o } from './a.js'; const g = this
      f()
      export const result = [g, f(), tag\`x\`, o.f() === o, f?.(), new (class { x = f() })().x];`,
    'a.js': `export function f() { return this; } export function tag() { return this; } export const o = { f };`,
  },
  // 11.2.2 Strict Mode Code; 16.2.1.7.3.1 InitializeEnvironment
  'a module is strict, has no arguments, and its declarations are not on the global object': {
    'main.js': `const tried = (f) => { try { return f(); } catch (e) { return e.name + ': ' + (e.code ?? e.message); } };
var v = 1; function f() { return this; } export const result = [typeof arguments, tried(() => arguments).split(':')[0], (() => typeof arguments)(), (function () { return arguments.length; })(1), globalThis.v, globalThis.f, f(), tried(() => { undeclared = 1; }), (() => this)()];`,
  },
  // 12.10 Automatic Semicolon Insertion
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
  // 9.1 Environment Records
  'shadowed imports are left alone': {
    'main.js': `import { a, b } from './a.js'; const f = (a) => { { const b = 3; a += b; } return { a, b }; }; function g({ a = b } = {}) { return a; } class C { a = a; static b() { return b; } }
      export const result = [f(1), g(), new C().a, C.b(), { a, b }, typeof a, \`\${a}\`];`,
    'a.js': `export const a = 'A', b = 'B';`,
  },
  // 14.7.5.5 ForIn/OfBodyEvaluation
  'loops write exported variables': {
    'main.js': `import * as a from './a.js'; export const result = { ...a };`,
    'a.js': `export var i, j, k; const seen = []; for (i = 0; i < 3; i++) seen.push(i); for (j in { x: 1 }); for (k of [1, 2]) { seen.push(k); } for (var l = 5; l < 6; l++); for (var [m] = [1]; m < 3; m++); if (true) var o = 1; else var o = 2; export { l, m, o, seen };`,
  },
  // 13.15.2 Assignment evaluation; 13.4 Update Expressions
  'every form of assignment to an exported variable is seen': {
    'main.js': `import * as a from './a.js'; a.run(); export const result = { ...a, run: 0 };`,
    'a.js': `export let a = 1, b = 1, c, d, e = null, f = 0, g = 2, h, i = 1, j = 1, k = 1, l, m; export const run = () => { a += 1; b **= 2; [c, d = 5, ...l] = [1]; e ??= 'e'; f ||= 'f'; g &&= 'g'; ({ h = 3, ...m } = { x: 1 }); const post = i++; j = i = post + 10; k = (j, k--, --k); };`,
  },
  // 19.2.1.1 PerformEval, in strict code
  'direct eval sees what is around it, but the names of imports': {
    'main.js': `const tried = (f) => { try { return f(); } catch (e) { return e.name + ': ' + (e.code ?? e.message); } };
const x = 2; import { a } from './a.js'; export let y = 1; function f() { return eval('x + y'); } y = 5; export const result = [f(), tried(() => eval('var q = 1; q')), typeof q, eval('this'), (0, eval)('this === globalThis'), a];`,
    'a.js': `export const a = 1;`,
  },
  // nothing in the language says that $m is ours
  'names of the compiled form may be used': {
    'main.js': `import { $0, $m as $e } from './a.js'; const $d = 1; export default function () {} export const result = [$0, $e, $d];`,
    'a.js': `export const $0 = 'zero', $m = 'm';`,
  },
});
