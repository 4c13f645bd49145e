/** Exported functions and classes of a module that accepts itself stay the same objects. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileLive, createSlot, type Exports } from './live-fixture.ts';
import { transformModule } from '../../src/release/transform/transform.ts';
import { readTypeScriptSettings } from '../../src/release/transform/typescript-settings.ts';

const run = (source: string, ...imports: readonly object[]): Exports => createSlot().run(source, ...imports);

function liveOf(source: string, path?: string): string[] {
  return (compileLive(source, path).hot?.live ?? []).map(({ name, kind }) => `${kind} ${name}`);
}

const lives: readonly (readonly [source: string, live: readonly string[]])[] = [
  ['export function f() {}', ['function f']],
  ['async function* f() {} export { f as g, f as "x y" };', ['function f']],
  ['export default function f() {}', ['function f']],
  ['function f() {} export default f;', ['function f']],
  ['export default function () {}', ['function default']],
  ['export default async () => {};', ['function default']],
  ['export default (class Foo {});', ['class default']],
  [
    'export const f = () => {}, g = function () {}, C = class {}, other = 1;',
    ['function f', 'function g', 'class C'],
  ],
  ['export let f = () => {};', ['function f']],
  ['const f = () => {}; export default f;', ['function f']],
  ['class A {} class B extends A {} export class C extends B {}', ['class C', 'class B', 'class A']],
  ['export class Foo {} export { Foo as default };', ['class Foo']],
  ['export function f() {} f = null;', []],
  ['export let f = () => {}; f = () => {};', []],
  ['export let Foo = class Foo {}; Foo = decorate(Foo);', []],
  ['export const Foo = class Bar { static one = new Bar(); };', []],
  ['{ var f = () => {}; } export { f };', []],
  ['export { f } from "./b.js"; import { g } from "./b.js"; export { g }; export default g;', []],
  ['function inner() {} export const f = wrap(inner); export default { f };', []],
];

for (const [source, live] of lives) {
  test(`in "${source}" live is ${live.join(', ') || 'nothing'}`, () =>
    assert.deepEqual(liveOf(source), live));
}

test('nothing is live in a module that does not accept itself', () => {
  const settings = readTypeScriptSettings('/not-there');
  const source = 'export function f() {} import.meta.hot.accept("./b.js", f);';
  const { hot, code } = transformModule({ path: 'a.mjs', source, packageType: 'module', settings });
  assert.deepEqual([hot?.live, code.includes('.live(')], [[], false]);
});

test('a live export knows its base and its line', () => {
  const source =
    'import { B as Base } from "./b.js";\nexport class C\nextends Base {}\nexport class D extends mix(C) {}';
  assert.deepEqual(
    compileLive(source).hot?.live.map(({ name, base, line }) => [name, base, line]),
    [
      ['C', 'B from ./b.js', 2],
      ['D', 'mix(C)', 4],
    ],
  );
});

test('a TypeScript class with a lowered decorator is not live, one without is', () => {
  const source =
    '@dec class A {} export class B { constructor(private readonly a: number) {} } export { A };';
  const { hot } = transformModule({
    path: 'a.ts',
    source: `${source} import.meta.hot?.accept();`,
    packageType: 'module',
    settings: { ...readTypeScriptSettings('/not-there'), hasLegacyDecorators: true },
  });
  assert.deepEqual(
    hot?.live.map(({ name }) => name),
    ['B'],
  );
});

test('code keeps its lines', () => {
  const source =
    'export class Foo\n{\n  a = 1;\n}\nexport const f =\n  () =>\n    1;\nexport default class\nBar\nextends Foo {}\nlast();';
  const lines = (text: string): number => text.split('\n').findIndex((line) => line.includes('last()'));
  assert.equal(lines(compileLive(source).code), lines(source));
});

test('a function is the same object in the next version and runs the new code, also from a cycle before evaluation', () => {
  const slot = createSlot();
  const first = slot.run('export function f() { return 1; } export const g = () => f();');
  const { f, g } = first as Record<string, () => number>;
  const second = slot.run('export function f() { return 2; } export const g = () => f() * 10;');
  assert.deepEqual([second['f'] === f, second['g'] === g, f?.(), g?.()], [true, true, 2, 20]);
});

test('functions and classes have the names that the language gives them', () => {
  const names = (exports: Record<string, { name: string }>): string[] =>
    Object.values(exports).map(({ name }) => name);
  assert.deepEqual(names(run('export default function () {}')), ['default']);
  assert.deepEqual(names(run('export default () => {}')), ['default']);
  assert.deepEqual(names(run('export default class {}')), ['default']);
  assert.deepEqual(names(run('export default (function named() {});')), ['named']);
  const source = 'export const f = (() => {}), g = function named() {}, C = class {}; export class D {}';
  assert.deepEqual(names(run(source)), ['f', 'named', 'C', 'D']);
});

test('static initializers see the stable class by its name, and the name of the class', () => {
  const slot = createSlot();
  const { Foo } = slot.run(
    'export class Foo { static count = 0; static one = new Foo(); static { Foo.count += 5; } static called = this.name;' +
      ' static self = Foo; constructor() { Foo.count += 1; } }',
  ) as unknown as { Foo: Record<string, unknown> & (abstract new () => object) };
  assert.deepEqual([Foo['count'], Foo['called'], Foo['self'] === Foo], [6, 'Foo', true]);
  assert.ok(Foo['one'] instanceof Foo);
  assert.notEqual(slot.rawOf('Foo'), Foo);
});

test('a class is in its temporal dead zone before it is defined', () => {
  assert.throws(() => run('const early = new Foo(); export class Foo {} export { early };'), ReferenceError);
  assert.throws(() => run('export class A extends B {} export class B {}'), ReferenceError);
});

test('a class extends the stable class of the same module', () => {
  const slot = createSlot();
  const { A, B } = slot.run(
    'export class A { who() { return "a"; } }\nexport default class B extends A { who() { return super.who() + "b"; } }\nexport { B }',
  ) as unknown as Record<'A' | 'B', new () => { who: () => string }>;
  assert.ok(new B() instanceof A);
  assert.equal(new B().who(), 'ab');
  assert.equal(Object.getPrototypeOf(slot.rawOf('B')), A);
});

test('statements without semicolons stay apart', () => {
  const exports = run(
    'let n = 1\nexport class A {}\n[1].forEach((x) => { n += x })\nexport const f = () => n\nexport class B {}export class C {}\n;(() => { n += 1 })()',
  ) as unknown as { f: () => number };
  assert.deepEqual([Object.keys(exports), exports.f()], [['A', 'f', 'B', 'C'], 3]);
});
