/** Private names of live classes: the language's own semantics in one version, and shared by the versions. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileFunction } from 'node:vm';
import { compileLive, createSlot } from './live-fixture.ts';

/** Each defines a class and a function `run`; the compiled code has to return or throw the same as the plain code. */
const programs: Readonly<Record<string, string>> = {
  'fields are read and written':
    'class Foo { #a = 1; #b; run() { this.#b = this.#a + 1; return [this.#a, this.#b, Reflect.ownKeys(this)]; } } const run = () => new Foo().run();',
  'fields are initialized in their order': `
    const log = [];
    class Foo { a = log.push('a'); #b = log.push('b', this.a); c = log.push('c', this.#b); static s = log.push('s'); static #t = log.push('t', this.s); ['d'] = log.push('d'); static u = Foo.#t; }
    const run = () => [new Foo(), log, Foo.u];`,
  'a field is not there before it is initialized':
    'class Foo { a = this.#b; #b = 1; } const run = () => new Foo();',
  'a static field is not there before it is initialized':
    'class Foo { static early = Foo.#t; static #t = 1; } const run = () => Foo;',
  'fields without semicolons':
    "class Foo { #a\n['x'] = 1\n#b\n*gen() { yield this.#a; yield this.#b }\n#c // none\n static\n#d\nd() { return [Foo.#d, this.#c] } } const run = () => [...new Foo().gen(), new Foo().d(), new Foo()];",
  'a parenthesized initializer':
    'class Foo { #a = (1, 2); #b /* = */ = (() => 3)() // later\n ; run() { return [this.#a, this.#b]; } } const run = () => new Foo().run();',
  'functions get the name of the field':
    'class Foo { #f = () => {}; #c = class {}; #g = (function () {}); #n = function n() {}; static #s = () => {}; #m() {} get #a() { return 1; } run() { return [this.#f, this.#c, this.#g, this.#n, Foo.#s, this.#m].map(({ name }) => name); } } const run = () => new Foo().run();',
  'compound and logical assignments': `
    class Foo { #a = 1; #n = null; #t = 1; run() { const log = []; const self = () => (log.push('self'), this);
      self().#a += (log.push('value'), 5); this.#a **= 2; self().#n ??= 'n'; self().#n ??= log.push('not'); this.#t &&= 2; this.#t ||= log.push('not');
      return [this.#a, this.#n, this.#t, (this.#a = 7), (this.#a -= 1), log]; } }
    const run = () => new Foo().run();`,
  updates:
    'class Foo { #a = 1; #b = 1n; run() { return [this.#a++, ++this.#a, this.#a--, -this.#a, String(++this.#b), - --this.#a]; } } const run = () => new Foo().run();',
  'targets of patterns': `
    class Foo { #a; #b; #c; #d; #e; run() { [this.#a = 1, , ...this.#b] = [undefined, 2, 3, 4]; ({ x: this.#c, ['y']: this.#d = 5, ...this.#e } = { x: 1, z: 2 });
      const seen = []; for (this.#a of [8, 9]) seen.push(this.#a); for (this.#a in { k: 1 }) seen.push(this.#a); return [this.#a, this.#b, this.#c, this.#d, this.#e, seen]; } }
    const run = () => new Foo().run();`,
  'the object is evaluated before the value, the name is asked after it': `
    const log = [];
    class Foo { #a = 1; static set() { try { (log.push('o'), {}).#a = log.push('v'); } catch (e) { log.push(e.constructor.name); } } }
    const run = () => { Foo.set(); return log; };`,
  'calls keep this and ask for the function before the arguments': `
    class Foo { #f = function (...a) { return [this === undefined, this.n, ...a]; }; n = 1; #m(...a) { return [this.n, ...a]; }
      run() { const f = this.#f(this.#f = null, 2); return [f, this.#m(), this.#m(1, ...[2, 3],), this.#m /* c */ (4), (this.#m)(5), this.#m?.(6), this.#f?.(7), this.#m\`a\${1}b\`]; } }
    const run = () => new Foo().run();`,
  'a call of what is no function':
    'class Foo { #a = 1; run() { this.#a(); } } const run = () => new Foo().run();',
  'constructing what a field has':
    'class Foo { #C = class { constructor(...a) { this.a = a; } static D = class { e = 1 } }; run() { return [new this.#C(1), new this.#C, new this.#C.D(), new (this.#C)(2), new (this.#get())(3)]; } #get() { return this.#C; } } const run = () => new Foo().run();',
  'optional chains': `
    class Foo { #a = { b: { c: () => 'c' } }; #n = null; #m(x) { return [this === Foo.last, x]; } static last;
      run() { Foo.last = this; const no = null; let n = 0;
        return [this?.#a.b.c(), no?.#a.b.c(n++), this?.#m(1), no?.#m(n++), this?.#n?.b, this.#n?.b.c(n++), this?.#m?.(2), (this?.#m)(3), (no?.#a)?.b, this?.#a?.b?.c?.(), n, delete this?.#a.b, this.#a]; } }
    const run = () => new Foo().run();`,
  in: `
    class Foo { #a; #m() {} get #g() { return 1; } static #s; static #t() {} static run() { const foo = new Foo(); const all = [foo, {}, Foo, class extends Foo {}, new (class extends Foo {})()];
      return all.map((o) => [#a in o, #m in o, #g in (o), #s in o, #t in o, !(#a in o)]); } static no() { return #a in 1; } }
    const run = () => Foo.run();`,
  'in of a primitive': 'class Foo { #a; static no() { return #a in 1; } } const run = () => Foo.no();',
  accessors: `
    const log = []; class Foo { #v = 1; get #a() { return this.#v; } set #a(v) { this.#v = v * 2; } get #f() { log.push('get'); return (x) => [x, log.length]; } set #only(v) { this.#v = v; }
      run() { this.#a = 4; this.#a += 1; this.#a++; this.#only = this.#a; return [this.#v, this.#f(log.push('value')), this.#a]; } }
    const run = () => [new Foo().run(), log];`,
  'a setter is not read':
    'class Foo { set #a(v) {} run() { return this.#a; } } const run = () => new Foo().run();',
  'a getter is not written':
    'class Foo { get #a() { return 1; } run() { this.#a = 1; } } const run = () => new Foo().run();',
  'a method is not written':
    'class Foo { #a() {} run() { this.#a = 1; } } const run = () => new Foo().run();',
  'another object has no field':
    'class Foo { #a; static run() { return {}.#a; } } const run = () => Foo.run();',
  'undefined has no field': 'class Foo { #a; static run(o) { return o.#a; } } const run = () => Foo.run();',
  'another object has no method':
    'class Foo { #a() {} static run() { ({}).#a(); } } const run = () => Foo.run();',
  'a subclass has no static name':
    'class Foo { static #a = 1; static run() { return this.#a; } } class Bar extends Foo {} const run = () => [Foo.run(), Bar.run()];',
  'methods of all kinds, with super': `
    class Base { who() { return 'base'; } static who() { return 'static base'; } }
    class Foo extends Base { #m() { return super.who(); } async #a() { return super.who(); } *#g() { yield super.who(); } async *#ag() { yield 1; } static #s() { return super.who(); } static async *#sag() {}
      who() { return 'foo'; } run() { return [this.#m(), [...this.#g()], this.#a() instanceof Promise, typeof this.#ag().next, Foo.#s(), typeof Foo.#sag, 'prototype' in this.#m]; } }
    const run = () => new Foo().run();`,
  'nothing is seen by reflection': `
    class Foo { #a = 1; #m() {} get #g() { return 1; } static #s = 1; static #t() {} pub() {} static pub() {} }
    const run = () => [Reflect.ownKeys(new Foo()), Reflect.ownKeys(Foo.prototype), Reflect.ownKeys(Foo).filter((key) => key !== 'toString')];`,
  'static names': `
    class Foo { static #n = 1; static #next() { return ++this.#n; } static get #g() { return Foo.#n; } static set #g(v) { this.#n = v; } static { Foo.#n += 10; this.#g = Foo.#g + 1; }
      static run() { Foo.#n++; return [Foo.#n, Foo.#next(), this.#next(), this.#g, (this.#g = 5), Foo.#g]; } }
    const run = () => Foo.run();`,
  'inner classes have names of their own': `
    class Foo { #a = 1; #b = 2; run() { const outer = this; class Inner { #a = 3; ['k' + outer.#b] = this.#a; read(o) { return [this.#a, o.#b]; } static of(o) { return #a in o; } }
      class Sub extends (outer.#b, Object) { #b = 4; b() { return [this.#b, outer.#a]; } } const inner = new Inner();
      return [inner.read(this), Inner.of(inner), Inner.of(this), new Sub().b(), Object.keys(inner)]; } }
    const run = () => new Foo().run();`,
  'arrows, generators and await': `
    class Foo { #a = 1; *gen() { this.#a = yield this.#a; yield this.#a; } async wait() { this.#a += await 5; return this.#a; } later = () => this.#a; }
    const run = () => { const foo = new Foo(); const gen = foo.gen(); return [gen.next().value, gen.next(9).value, foo.later(), foo.wait() instanceof Promise]; };`,
  'fields land on what a constructor returns, frozen or not, once': `
    class Base { constructor(o) { return o; } }
    class Foo extends Base { #a = 1; #m() { return 2; } static read(o) { return [o.#a, o.#m(), ++o.#a]; } }
    const run = () => { const o = Object.freeze({}); const p = new Proxy({}, {}); new Foo(o); new Foo(p); return [Foo.read(o), Foo.read(p), Reflect.ownKeys(o)]; };`,
  'fields do not land twice on one object': `
    class Base { constructor(o) { return o; } }
    class Foo extends Base { #a = 1; }
    const run = () => { const o = {}; new Foo(o); new Foo(o); };`,
  'methods do not land twice on one object': `
    class Base { constructor(o) { return o; } }
    class Foo extends Base { #a() {} }
    const run = () => { const o = {}; new Foo(o); new Foo(o); };`,
  'methods are there before the first field':
    'class Foo { a = this.#m(); #m() { return #m in this; } b = this.#g; get #g() { return 1; } } const run = () => new Foo();',
  'fields come after super()': `
    class Base { constructor() { this.seen = this.has(); } has() { return null; } }
    class Foo extends Base { #a = 1; has() { return #a in this; } run() { return [this.seen, this.has()]; } }
    const run = () => new Foo().run();`,
  'statements that begin with a private name': `
    class Foo { #a = []; run() { let x = 1
      this.#a.push(x)
      this.#a = [this.#a, 2]
      this
        .#a.push(3)
      ;[this.#a] = [this.#a]
      return this . /* c */ #a } }
    const run = () => new Foo().run();`,
  'plain assignments': `
    let log = []; const id = (x) => (log.push(x), x);
    class Foo { #a; #b; get #c() { return 0; } set #c(v) { log.push('c', v); } static #s;
      run(o) { const f = this.#a = () => {}; (this.#a) = 2; this.#a = (3, 4); this.#b = this.#a = [this.#a, this.#c = 5]; id(this).#a /* = */ = id(6);
        const y = (function* () { this.#b = yield 1; }).call(this); y.next(); y.next('y'); Foo.#s = 1; o.p = this.#b = o.q = 7; this.#a == this.#b;
        log = log.filter((entry) => entry !== this);
        return [f.name, this.#a, this.#b, Foo.#s, o, log, this.#a = 8]; } }
    const run = () => new Foo().run({});`,
  'line breaks': `
    class Foo { #a = 1; #m(x) { return x; } run(o) { const all = [() => { return #a
      in
      o; }, () => { return this
      .#a; }, () => { return this
        // c
        .#m
        (3); }, () => { this
        .#a++
        return this?.
        #a; }];
      return all.map((f) => f()); } }
    const run = () => new Foo().run({});`,
  'nested uses': `
    class Foo { #a = { n: 1 }; #k = 'n'; #next = null; run() { this.#next = new Foo(); this.#next.#next = this; this.#next.#next.#next.#a.n = this.#a[this.#k] + 1;
      this.#next.#a[this.#next.#k] += this.#a.n; return [this.#next.#a.n, (this.#next ?? this).#a.n, (0, this).#k, this.#next.#next === this]; } }
    const run = () => new Foo().run();`,
  'names beyond ASCII':
    'class Foo { #ñ = 1; #\\u0061 = 2; run() { return [this.#ñ, this.#a]; } } const run = () => new Foo().run();',
};

for (const [name, program] of Object.entries(programs)) {
  test(`${name}: as in plain code`, () => {
    const expected = outcomeOf(
      () => compileFunction(`"use strict";${program}; return run;`, [])() as () => unknown,
    );
    // Only the class itself is exported, and what is below functions stays as it is.
    const [first = '', ...rest] = program.split('class Foo');
    const source = `${first}export class Foo${rest.join('class Foo')}; export { run };`;
    assert.equal(
      outcomeOf(() => createSlot().run(source)['run'] as unknown as () => unknown),
      expected,
    );
  });
}

type Instance = Record<string, (...values: unknown[]) => unknown>;
type Class = (new (...values: unknown[]) => Instance) & Instance;

/** Evaluates versions of a class one after the other, and gives each of them as it is behind the stable one. */
function versions(...sources: readonly string[]): Class[] {
  const slot = createSlot();
  return sources.map((source) => {
    slot.run(source);
    return slot.rawOf('Foo');
  });
}

const call = (from: Class | undefined, name: string, self: unknown, ...values: unknown[]): unknown =>
  Reflect.apply(Reflect.get(from?.prototype as object, name) as () => unknown, self, values);

test('new methods find the fields of old instances, and old methods those of new ones', () => {
  const [one, two] = versions(
    'export class Foo { #n = 1; next() { return ++this.#n; } }',
    'export class Foo { #n = 10; next() { return (this.#n += 10); } static has(o) { return #n in o; } }',
  );
  const [old, young] = [new one!(), new two!()];
  assert.deepEqual(
    [old['next']?.(), call(two, 'next', old), call(one, 'next', old), call(one, 'next', young)],
    [2, 12, 13, 11],
  );
  assert.deepEqual([two?.['has']?.(old), two?.['has']?.({})], [true, false]);
});

test('code runs the private methods that were written with it, new ones also on old instances', () => {
  const [one, two] = versions(
    'export class Foo { #a = 1; #m() { return "old"; } run() { return this.#m(); } }',
    'export class Foo { #a = 1; #m() { return "new"; } #more() { return this.#a; } get #size() { return 7; } run() { return [this.#m(), this.#more(), this.#size]; } }',
  );
  const old = new one!();
  assert.deepEqual([old['run']?.(), call(two, 'run', old)], ['old', ['new', 1, 7]]);
  assert.equal(call(one, 'run', new two!()), 'old');
});

test('old instances lack a new field, which is a TypeError', () => {
  const [one, two] = versions(
    'export class Foo { #a }',
    'export class Foo { #a; #b; run() { return this.#b; } }',
  );
  assert.throws(
    () => call(two, 'run', new one!()),
    new TypeError('Cannot read private member #b from an object whose class did not declare it'),
  );
});

test('static names are of one version', () => {
  const source =
    'export class Foo { static #n = 0; static next() { return ++Foo.#n; } static its() { return this.#n; } }';
  const [one, two] = versions(source, source);
  assert.deepEqual([one?.['next']?.(), one?.['next']?.(), two?.['next']?.()], [1, 2, 1]);
  assert.throws(() => Reflect.apply(two?.['its'] as () => unknown, one, []), TypeError);
});

test('classes that extend each other keep their names apart', () => {
  const source =
    'class Base { #n = 1; base() { return this.#n++; } } export class Foo extends Base { #n = 10; run() { return [this.#n++, this.base()]; } }';
  const [one, two] = versions(source, source);
  const old = new one!();
  assert.deepEqual(
    [call(one, 'run', old), call(two, 'run', old)],
    [
      [10, 1],
      [11, 2],
    ],
  );
});

test('class expressions and classes without a name share theirs, too', () => {
  for (const source of [
    'export const Foo = class { #n = 1; #m() { return this.#n++; } static #s = 2; run() { return [this.#m(), Foo.#s]; } };',
    'export default class { #n = 1; #m() { return this.#n++; } static #s = 2; run() { return [this.#m(), 2]; } };',
  ]) {
    const slot = createSlot();
    const key = source.includes('Foo') ? 'Foo' : 'default';
    slot.run(source);
    const old = new (slot.rawOf(key) as Class)();
    slot.run(source);
    assert.deepEqual(
      [old['run']?.(), call(slot.rawOf(key), 'run', old)],
      [
        [1, 2],
        [2, 2],
      ],
    );
  }
});

test('the manifest lists the private names of instances', () => {
  const { hot } = compileLive(
    'export class Foo { #a; #m() {} get #g() { return 1; } set #g(v) {} static #s; static #t() {} }',
  );
  assert.deepEqual(hot?.live[0]?.privates, ['#a', '#m()', '#g()']);
});

const unshared = [
  'export class Foo { #x; static of(o) { return o?.a.#x; } }',
  'export class Foo { #x; static of(o) { return o?.a().#x.b; } }',
  'export class Foo { #x; run(text) { return eval(text); } }',
];

for (const source of unshared) {
  test(`a class is not live where its names can't be shared: ${source}`, () => {
    assert.deepEqual(compileLive(source).hot?.live, []);
  });
}

test('without private names, optional chains and eval are no matter', () => {
  const source = 'export class Foo { run(o) { return eval(o?.a.b); } }';
  assert.equal(compileLive(source).hot?.live.length, 1);
});

test('private names are left alone in a class that is not live', () => {
  const { code } = compileLive(
    'class Foo { #x = 1; run() { return this.#x; } } export const foo = new Foo();',
  );
  assert.match(code, /class Foo \{ #x = 1; run\(\) \{ return this\.#x; \} \}/);
});

test('code with private names keeps its lines', () => {
  const source =
    'export class Foo {\n  #a =\n    1;\n  #m\n  () {\n    return this\n      .#a +\n    this\n      .#m(\n      1);\n  }\n  in(o) { return #a\n in\n o; }\n}\nlast();';
  const lineOf = (text: string): number => text.split('\n').findIndex((line) => line.includes('last()'));
  assert.equal(lineOf(compileLive(source).code), lineOf(source));
});

function outcomeOf(load: () => () => unknown): string {
  try {
    return JSON.stringify(load()(), (_, value: unknown) =>
      typeof value === 'symbol' ? String(value) : value,
    );
  } catch (error) {
    return `throws ${(error as Error).constructor.name}`;
  }
}
