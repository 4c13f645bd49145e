/** Live identity: what was captured from a module that accepts itself runs its new code. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { runApp } from './runtime-fixture.ts';

const accept = 'import.meta.hot.accept();';
const main = `import * as a from './a.mjs'; export const get = () => a;`;

test('functions captured in any way run the new code, and are the same object', async (t) => {
  const source = (value: number): string => `
    export function declared() { return 'declared ${value}'; }
    export const arrow = () => 'arrow ${value}';
    export const expression = function () { return [this?.name, '${value}']; };
    export async function later() { return 'later ${value}'; }
    export function* many() { yield 'many ${value}'; }
    export default function () { return 'default ${value}'; }
    ${accept}`;
  const app = await runApp(t, { 'main.mjs': main, 'a.mjs': source(1) });
  const { declared, arrow, expression, later, many, default: anonymous } = { ...app.main['get']() };
  const object = { name: 'self', method: expression };
  await app.swap({ 'a.mjs': source(2) });
  assert.equal(declared(), 'declared 2');
  assert.equal(arrow(), 'arrow 2');
  assert.deepEqual(object.method(), ['self', '2']);
  assert.equal(await later(), 'later 2');
  assert.deepEqual([...many()], ['many 2']);
  assert.equal(anonymous(), 'default 2');
  const after = app.main['get']();
  assert.equal(after.declared, declared);
  assert.equal(after.default, anonymous);
  const names = [declared, arrow, expression, later, many, anonymous].map(({ name }) => name);
  assert.deepEqual(names, ['declared', 'arrow', 'expression', 'later', 'many', 'default']);
});

test('a function shows the length, the text and the kind of the current version', async (t) => {
  const app = await runApp(t, { 'main.mjs': main, 'a.mjs': `export const f = (a) => a; ${accept}` });
  const { f } = app.main['get']();
  await app.swap({ 'a.mjs': `export const f = async (a, b) => b; ${accept}` });
  assert.equal(f.length, 2);
  assert.equal(f.toString(), 'async (a, b) => b');
  assert.equal(f.constructor.name, 'AsyncFunction');
});

const shop = (value: number): string => `
  export class Base { kind() { return 'base ${value}'; } static create() { return new this(); } }
  export class Item extends Base {
    static count = 0;
    static all = [new Item('first')];
    static label() { return 'label ${value} ' + this.name; }
    constructor(name) { super(); this.name = name; Item.count += 1; }
    describe() { return this.name + ' ${value} ' + super.kind(); }
    get upper() { return this.name.toUpperCase() + ${value}; }
    set upper(text) { this.name = text + ${value}; }
  }
  ${accept}`;

test('living instances get the new methods and accessors, new ones are of the same class', async (t) => {
  const app = await runApp(t, { 'main.mjs': main, 'a.mjs': shop(1) });
  const { Item, Base } = app.main['get']();
  const old = new Item('old');
  const describe = old.describe;
  await app.swap({ 'a.mjs': shop(2) });
  assert.equal(old.describe(), 'old 2 base 2');
  assert.equal(describe.call(old), 'old 2 base 2');
  assert.equal(old.upper, 'OLD2');
  old.upper = 'x';
  assert.equal(old.name, 'x2');
  const fresh = new Item('fresh');
  assert.ok(fresh instanceof Item && fresh instanceof Base && old instanceof Item);
  assert.equal(fresh.constructor, Item);
  assert.equal(Object.getPrototypeOf(fresh), Item.prototype);
  assert.equal(Object.getPrototypeOf(old), Item.prototype);
  assert.equal(app.main['get']().Item, Item);
});

test('statics follow, and are seen by static initializers and by subclasses', async (t) => {
  const app = await runApp(t, { 'main.mjs': main, 'a.mjs': shop(1) });
  const { Item } = app.main['get']();
  assert.equal(Item.count, 1);
  assert.ok(Item.all[0] instanceof Item);
  assert.equal(Item.label(), 'label 1 Item');
  assert.ok(Item.create() instanceof Item);
  assert.equal(Item.count, 2);
  const label = Item.label;
  class Special extends Item {}
  assert.equal((Special as typeof Item).label(), 'label 1 Special');
  await app.swap({ 'a.mjs': shop(2) });
  assert.equal(Item.count, 1);
  assert.equal(label.call(Item), 'label 2 Item');
  assert.equal(new (Special as typeof Item)('s').describe(), 's 2 base 2');
});

test('methods that the new version does not have are gone, and come back with a rollback', async (t) => {
  const app = await runApp(t, {
    'main.mjs': main,
    'a.mjs': `export class A { one() { return 1; } both() { return 1; } } ${accept}`,
  });
  const { A } = app.main['get']();
  const old = new A();
  await app.swap({ 'a.mjs': `export class A { two() { return 2; } both() { return 2; } } ${accept}` });
  assert.deepEqual([typeof old.one, old.two(), old.both()], ['undefined', 2, 2]);
  await app.runtime.rollback();
  assert.deepEqual([old.one(), typeof old.two, old.both()], [1, 'undefined', 1]);
});

test('while a version is prepared its own code runs new, all other code runs old', async (t) => {
  const source = (value: number): string => `
    export class A { say() { return ${value}; } static all = 'static ${value}'; }
    export function f() { return new A().say(); }
    log([f(), new A() instanceof A, A.all]);
    await import.meta.hot.data.gate;
    ${accept}
    log([f(), A.all]);`;
  const app = await runApp(t, { 'main.mjs': main, 'a.mjs': source(1) });
  const { A, f } = app.main['get']();
  const living = new A();
  app.log();
  const prepared = await app.prepare({ 'a.mjs': source(2) });
  assert.deepEqual(app.log(), [
    [2, true, 'static 2'],
    [2, 'static 2'],
  ]);
  assert.deepEqual([f(), living.say(), A.all], [1, 1, 'static 1']);
  await prepared.commit();
  assert.deepEqual([f(), living.say(), A.all], [2, 2, 'static 2']);
});

test('an aborted version leaves classes as they were', async (t) => {
  const app = await runApp(t, {
    'main.mjs': main,
    'a.mjs': `export class A { say() { return 1; } } ${accept}`,
  });
  const { A } = app.main['get']();
  const prepared = await app.prepare({
    'a.mjs': `export class A { say() { return 2; } added() {} static more = 1; } ${accept}`,
  });
  prepared.abort();
  assert.deepEqual(Reflect.ownKeys(A.prototype), ['constructor', 'say']);
  assert.equal('more' in A, false);
  assert.equal(new A().say(), 1);
});

test('a class looks like a class', async (t) => {
  const app = await runApp(t, {
    'main.mjs': main,
    'a.mjs': `export class A { constructor(a, b) {} } ${accept}`,
  });
  const { A } = app.main['get']();
  assert.throws(() => A(), /cannot be invoked without 'new'/);
  assert.equal(inspect(A), '[class A]');
  assert.equal(A.length, 2);
  assert.match(A.toString(), /^class/);
});

test('a class that another module extends follows with its subclass', async (t) => {
  const source = (value: number): string =>
    `export class Base { constructor() { this.made = ${value}; } say() { return ${value}; } } ${accept}`;
  const app = await runApp(t, {
    'main.mjs': `import { Base } from './a.mjs'; export class Sub extends Base { twice() { return this.say() * 2; } } export const living = new Sub();`,
    'a.mjs': source(1),
  });
  await app.swap({ 'a.mjs': source(2) });
  const { Sub, living } = app.main as {
    Sub: new () => { made: number; twice(): number };
    living: { made: number; twice(): number };
  };
  assert.deepEqual([living.made, living.twice(), new Sub().made, new Sub().twice()], [1, 4, 2, 4]);
});

for (const [what, before, after, reason] of [
  ['a function that became a class', 'export function A() {}', 'export class A {}', /function/],
  [
    'another base class',
    'class B {} class C {} export class A extends B {}',
    'class B {} class C {} export class A extends C {}',
    /extends/,
  ],
  ['an export that is gone', 'export const A = 1; export const b = 2;', 'export const A = 1;', /b/],
] as const) {
  test(`${what} takes the importers along, with the reason`, async (t) => {
    const app = await runApp(t, {
      'main.mjs': `import { A } from './a.mjs'; log('main');`,
      'a.mjs': `${before} ${accept}`,
    });
    const { plan } = await app.swap({ 'a.mjs': `${after} ${accept}` });
    assert.deepEqual(app.log(), ['main', 'main']);
    const found = plan.reasons.find(({ code }) => code === 'MF1004');
    assert.match(found?.message ?? '', reason);
  });
}

test('a base class from a module that is evaluated again takes the importers along', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { A } from './a.mjs'; log('main');`,
    'a.mjs': `import { Base } from './base.mjs'; export class A extends Base {} ${accept}`,
    'base.mjs': `export class Base {}`,
  });
  const { plan } = await app.swap({ 'base.mjs': `export class Base { added() {} }` });
  assert.deepEqual(app.log(), ['main', 'main']);
  assert.match(
    plan.reasons.find(({ code }) => code === 'MF1004')?.message ?? '',
    /base\.mjs is evaluated again/,
  );
});

test('private fields and methods are those of living instances, too', async (t) => {
  const source = (value: number): string => `
    export class A {
      #count = 1;
      static #made = 0;
      constructor() { A.#made += 1; }
      #next() { return this.#count + ${value}; }
      up() { this.#count = this.#next(); return this.#count; }
      static isOne(object) { return #count in object; }
      static get made() { return A.#made; }
    } ${accept}`;
  const app = await runApp(t, { 'main.mjs': main, 'a.mjs': source(1) });
  const { A } = app.main['get']();
  const old = new A();
  assert.equal(old.up(), 2);
  await app.swap({ 'a.mjs': source(10) });
  assert.deepEqual([old.up(), new A().up(), A.isOne(old), A.isOne({}), A.made], [12, 11, true, false, 1]);
  assert.deepEqual(Reflect.ownKeys(old), []);
});

test('a private field that living instances would lack takes the importers along', async (t) => {
  const app = await runApp(t, {
    'main.mjs': `import { A } from './a.mjs'; log('main');`,
    'a.mjs': `export class A {} ${accept}`,
  });
  const { plan } = await app.swap({
    'a.mjs': `export class A { #new = 1; get() { return this.#new; } } ${accept}`,
  });
  assert.deepEqual(app.log(), ['main', 'main']);
  assert.match(plan.reasons.find(({ code }) => code === 'MF1004')?.message ?? '', /#new/);
});

test('what a version puts on its functions and classes is seen by others from the commit on, and goes with it', async (t) => {
  const source = (value: number): string => `
    export function f() { return f.count; }
    f.count = ${value};
    f['own${value}'] = true;
    export function Old() {}
    Old.prototype.get = () => ${value};
    export class A {}
    A.later = ${value};
    A.prototype.shared = ${value};
    A.prototype.method = function () { return ${value}; };
    log([f(), f.count, new Old().get(), A.later, new A().shared, new A().method()]);
    ${accept}`;
  const app = await runApp(t, { 'main.mjs': main, 'a.mjs': source(1) });
  const { f, Old, A } = app.main['get']();
  const living = new A();
  const old = new Old();
  const seen = (): unknown[] => [
    f(),
    f.count,
    Object.keys(f),
    old.get(),
    A.later,
    living.shared,
    living.method(),
  ];
  const first = [1, 1, ['count', 'own1'], 1, 1, 1, 1];
  assert.deepEqual(seen(), first);
  const prepared = await app.prepare({ 'a.mjs': source(2) });
  // A key that is new is there already, and has no value.
  assert.deepEqual(seen().toSpliced(2, 1), first.toSpliced(2, 1));
  assert.equal(f.own2, undefined);
  prepared.abort();
  assert.deepEqual(seen(), first);
  await app.swap({ 'a.mjs': source(3) });
  assert.deepEqual(seen(), [3, 3, ['count', 'own3'], 3, 3, 3, 3]);
  await app.runtime.rollback();
  assert.deepEqual(seen(), first);
  const all = [1, 2, 3, 1].map((value) => Array(6).fill(value));
  assert.deepEqual(app.log(), all);
});

test('methods that a module wraps after the class are wrapped in each version once', async (t) => {
  const source = (value: number): string => `
    const wrap = (prototype, name) => {
      const descriptor = Object.getOwnPropertyDescriptor(prototype, name);
      const { value } = descriptor;
      Object.defineProperty(prototype, name, { ...descriptor, value(...list) { return ['wrapped', ...value.apply(this, list)]; } });
    };
    export class A {
      m(x) { return [${value}, x]; }
      gone() {}
      get g() { return ${value}; }
      noted() {}
      static s() { return [${value}]; }
    }
    wrap(A.prototype, 'm');
    const { get } = Object.getOwnPropertyDescriptor(A.prototype, 'g');
    Object.defineProperty(A.prototype, 'g', { get() { return ['wrapped', get.call(this)]; }, configurable: true });
    notes.set(A.prototype.noted, ${value});
    notes.set(A.prototype.m, 'wrapper ${value}');
    const { s } = A;
    A.s = () => [0, ...s()];
    delete A.prototype.gone;
    log(new A().m(1), A.s());
    ${accept}`;
  const notes = new WeakMap<object, unknown>();
  Object.assign(globalThis, { notes });
  const app = await runApp(t, { 'main.mjs': main, 'a.mjs': source(1) });
  const { A } = app.main['get']();
  const living = new A();
  const { m } = living;
  const seen = (): unknown[] => [living.m(1), m(2), A.s(), 'gone' in living, living.g, notes.get(living.m)];
  const of = (value: number): unknown[] => [
    ['wrapped', value, 1],
    ['wrapped', value, 2],
    [0, value],
    false,
    ['wrapped', value],
    `wrapper ${value}`,
  ];
  assert.deepEqual(seen(), of(1));
  const prepared = await app.prepare({ 'a.mjs': source(2) });
  assert.deepEqual(seen(), of(1));
  prepared.abort();
  assert.deepEqual(seen(), of(1));
  await app.swap({ 'a.mjs': source(3) });
  assert.deepEqual(seen(), of(3));
  assert.equal(notes.get(living.noted), 3);
  await app.runtime.rollback();
  assert.deepEqual(seen(), of(1));
  const logged = [1, 2, 3, 1].flatMap((value) => [
    ['wrapped', value, 1],
    [0, value],
  ]);
  assert.deepEqual(app.log(), logged);
});

test('a method may become an accessor, and is not asked for by the swap', async (t) => {
  const app = await runApp(t, {
    'main.mjs': main,
    'a.mjs': `export class A { #x = 1; m() { return this.#x; } } ${accept}`,
  });
  const { A } = app.main['get']();
  const living = new A();
  const { m } = living;
  await app.swap({ 'a.mjs': `export class A { #x = 1; get m() { return this.#x + 1; } } ${accept}` });
  assert.deepEqual([living.m, m.call(living)], [2, 1]);
  await app.runtime.rollback();
  assert.deepEqual([living.m(), m.call(living)], [1, 1]);
});

test('what a static block wraps by the name of the class is wrapped', async (t) => {
  const source = (value: number): string => `
    export class A {
      m() { return ${value}; }
      static {
        const { m } = A.prototype;
        A.prototype.m = function () { return ['wrapped', m.call(this)]; };
      }
    }
    log(new A().m());
    ${accept}`;
  const app = await runApp(t, { 'main.mjs': main, 'a.mjs': source(1) });
  const { A } = app.main['get']();
  const living = new A();
  assert.deepEqual(living.m(), ['wrapped', 1]);
  await app.swap({ 'a.mjs': source(2) });
  assert.deepEqual(living.m(), ['wrapped', 2]);
  assert.deepEqual(app.log(), [
    ['wrapped', 1],
    ['wrapped', 2],
  ]);
});

test('a call by name runs the version of the caller: what stays calls the current one, also after a rollback', async (t) => {
  const source = (value: number): string => `
    export function declared() { return ${value}; }
    export const arrow = () => ${value};
    ${accept}`;
  const app = await runApp(t, {
    'main.mjs': `import { declared, arrow } from './a.mjs'; export const both = () => [declared(), arrow()];`,
    'a.mjs': source(1),
  });
  const prepared = await app.prepare({ 'a.mjs': source(2) });
  assert.deepEqual(app.main['both'](), [1, 1]);
  await prepared.commit();
  assert.deepEqual(app.main['both'](), [2, 2]);
  await app.runtime.rollback();
  assert.deepEqual(app.main['both'](), [1, 1]);
});

test('a module with top-level await that is imported late is live like others', async (t) => {
  const lazy = (value: number): string => `
    export class A { static s = ${value}; m() { return ${value}; } get g() { return ${value}; } }
    await null;
    A.later = ${value};
    ${accept}`;
  const app = await runApp(t, {
    'main.mjs': `export const load = () => import('./lazy.mjs');`,
    'lazy.mjs': lazy(1),
  });
  const { A } = await app.main['load']();
  const living = new A();
  const seen = (): unknown[] => [A.s, living.m(), living.g, A.later];
  assert.deepEqual(seen(), [1, 1, 1, 1]);
  await app.swap({ 'lazy.mjs': lazy(2) });
  assert.deepEqual(seen(), [2, 2, 2, 2]);
  await app.runtime.rollback();
  assert.deepEqual(seen(), [1, 1, 1, 1]);
});
