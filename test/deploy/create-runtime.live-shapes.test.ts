/** What is live behaves as the same code does in a module that is not: each probe is made of both. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runApp } from './runtime-fixture.ts';

/** Source of a module, and an expression over its exports `m`. */
interface Shape {
  readonly source: (version: number) => string;
  readonly probe: string;
}

const shapes: Readonly<Record<string, Shape>> = {
  'static private names': {
    source: (
      v,
    ) => `export class A { static #n = ${v}; static #up() { return ++A.#n; } static up() { return A.#up() + this.#n; } static has(o) { return #n in o; }
      static get n() { return A.#n; } static set n(to) { A.#n = to; } }`,
    probe: `[m.A.up(), m.A.n, (m.A.n = 7, m.A.n), m.A.has(m.A), m.A.has({}), m.A.up()]`,
  },
  'pairs of accessors': {
    source: (
      v,
    ) => `export class A { #x = 1; get x() { return this.#x + ${v}; } set x(to) { this.#x = to; } get onlyGet() { return ${v}; } set onlySet(to) { this.set = to; } }
      export class B extends A { get x() { return super.x * 2; } set x(to) { super.x = to + ${v}; } }`,
    probe: `(() => { 'use strict'; const a = new m.A(), b = new m.B(); a.x = 5; b.x = 5; a.onlySet = 3; const r = [a.x, b.x, a.onlyGet, a.set, a.onlySet];
      try { a.onlyGet = 1; } catch (e) { r.push(e.constructor.name); }
      const d = Object.getOwnPropertyDescriptor(m.A.prototype, 'x'); r.push(typeof d.get, typeof d.set, d.enumerable, d.configurable, d.get.name, d.set.name, d.get.length, d.set.length);
      const g = Object.getOwnPropertyDescriptor(m.A.prototype, 'onlyGet'); r.push(g.set === undefined, d.get.call(a)); return r; })()`,
  },
  symbols: {
    source: (
      v,
    ) => `export class A { *[Symbol.iterator]() { yield ${v}; } get [Symbol.toStringTag]() { return 'A${v}'; } [Symbol.toPrimitive]() { return ${v}; } static [Symbol.hasInstance](o) { return o === ${v}; }
      async *[Symbol.asyncIterator]() { yield ${v}; } static [Symbol.species] = Array; }`,
    probe: `(() => { const a = new m.A(); return [[...a], String(a), +a, Object.prototype.toString.call(a), 1 instanceof m.A, 2 instanceof m.A, m.A[Symbol.species].name, typeof a[Symbol.asyncIterator]().next]; })()`,
  },
  'super in methods, statics and object literals': {
    source: (
      v,
    ) => `class Base { a() { return 'base${v}'; } static s() { return 'static${v}'; } get g() { return 'g${v}'; } }
      export class A extends Base { a() { return super.a() + '+${v}'; } static s() { return super.s() + this.name; } get g() { return super.g + '!'; } arrow = () => super.a(); }
      export const o = { __proto__: { x() { return 'proto${v}'; } }, x() { return super.x() + 'own'; } };`,
    probe: `(() => { const a = new m.A(); return [a.a(), m.A.s(), a.g, a.arrow(), m.o.x()]; })()`,
  },
  'generators and async': {
    source: (
      v,
    ) => `export class A { *g() { yield this.x; yield ${v}; } async a() { await null; return [this.x, ${v}]; } async *ag() { yield ${v}; } x = 'x'; }
      export async function* f() { yield ${v}; yield this; }`,
    probe: `(async () => { const a = new m.A(); const r = [[...a.g()], await a.a()]; for await (const x of a.ag()) r.push(x); for await (const x of m.f.call(5)) r.push(x);
      r.push(Object.getPrototypeOf(m.f) === Object.getPrototypeOf(async function* () {}), Object.prototype.toString.call(a.g), a.g.constructor.name); return r; })()`,
  },
  'new.target and return override': {
    source: (
      v,
    ) => `export class A { constructor(x) { this.nt = new.target === A; this.name = new.target.name; if (x) return { other: ${v} }; } }
      export class B extends A { constructor(x) { const r = super(x); this.same = r === this; this.v = ${v}; } }
      export function F(x) { if (!new.target) return new F(x); this.x = x + ${v}; } F.prototype.get = function () { return this.x; };`,
    probe: `(() => { class C extends m.B {} const f = m.F(1); return [{ ...new m.A() }, { ...new m.B() }, { ...new C() }, { ...new m.A(1) }, { ...new m.B(1) }, f instanceof m.F, f.get(), new m.F(2).get(), Reflect.construct(m.A, [], Array).name,
      Reflect.construct(m.A, [], Array) instanceof Array]; })()`,
  },
  'subclasses of built-ins': {
    source: (v) => `export class Map2 extends Map { get(k) { return [super.get(k), ${v}]; } }
      export class List extends Array { static get [Symbol.species]() { return Array; } sum() { return this.reduce((a, b) => a + b, ${v}); } }
      export class Oops extends Error { constructor(m, o) { super(m, o); this.name = 'Oops'; this.v = ${v}; } }
      export class P extends Promise { tag() { return ${v}; } }
      export class Bytes extends Uint8Array { total() { return this.length + ${v}; } }
      import { EventEmitter } from 'node:events';
      export class Bus extends EventEmitter { constructor() { super({ captureRejections: true }); } fire() { return this.emit('x', ${v}); } }`,
    probe: `(async () => { const map = new m.Map2([[1, 2]]), list = m.List.from([1, 2]), error = new m.Oops('bad', { cause: 1 }), p = m.P.resolve(1), then = p.then((x) => x), bytes = new m.Bytes(3), bus = new m.Bus(), heard = [];
      bus.on('x', (x) => heard.push(x)); bus.fire();
      return [map.get(1), map.size, list.sum(), Array.isArray(list), list.map((x) => x) instanceof m.List, m.List.of(1) instanceof m.List, list.length, error.message, error.cause, error.v, String(error), error instanceof Error, typeof error.stack, error.stack.split('\\n')[0],
        Error.isError?.(error), p instanceof m.P, then instanceof m.P, p.tag(), await then, bytes.total(), bytes.subarray(1) instanceof m.Bytes, heard, structuredClone(map).get(1), Object.prototype.toString.call(map)]; })()`,
  },
  'frozen and sealed classes': {
    source: (
      v,
    ) => `export class A { m() { return ${v}; } static s = ${v}; } Object.freeze(A.prototype); Object.freeze(A);
      export class B { static { Object.freeze(this.prototype); } m() { return ${v}; } }
      export function f() { return ${v}; } Object.freeze(f);`,
    probe: `[new m.A().m(), m.A.s, new m.B().m(), m.f()]`,
  },
  'what is seen from outside': {
    source: (
      v,
    ) => `export class A { constructor(a, b = 1) { this.a = a; } m(x, y) { return ${v}; } static s() {} static f = ${v}; get g() { return 1; } field = 1; } export class B extends A {} export default class extends B { z() {} }
      export const C = class { q() {} }; export const D = class Named {}; export function f(a, b) {} export const g = async (x) => x; export const o = { A };`,
    probe: `(() => { const show = (c) => [c.name, c.length, Reflect.ownKeys(c).filter((k) => k !== 'toString' && k !== Symbol.for('x')), Reflect.ownKeys(c.prototype ?? {}), Object.keys(c), typeof c, /^class\\b/.test(String(c))];
      const a = new m.A(1), b = new m.B(2), d = new m.default(3);
      return [show(m.A), show(m.B), show(m.default), show(m.C), show(m.D), m.f.name, m.f.length, String(m.f), m.g.name, Object.keys(a), JSON.stringify([a, b, d]), structuredClone(a), inspect(a), inspect(b), inspect(d), inspect(m.B), inspect(m.default), inspect(m.f),
        Object.getPrototypeOf(m.B) === m.A, b.constructor === m.B, d instanceof m.A, m.A.prototype.constructor === m.A, m.A.prototype.m.name, m.A.prototype.m.length, String(m.A.prototype.m), 'prototype' in m.A.prototype.m,
        Object.getOwnPropertyDescriptor(m.A, 'prototype').writable, Object.getOwnPropertyDescriptor(m.A, 'f')?.enumerable, Object.hasOwn(m.A, 'f'), m.o.A === m.A, Function.prototype.toString.call(m.f).length > 0, Object.prototype.toString.call(m.f), Object.prototype.toString.call(m.A)]; })()`,
  },
  'properties of functions': {
    source: (
      v,
    ) => `export function f() { return f.count++; } f.count = ${v}; f.own = () => ${v}; export const g = Object.assign(() => g.x, { x: ${v} }); export const h = (x) => h.cache ??= x;
      export class A { m() {} } A.later = ${v}; A.prototype.patched = function () { return ${v}; }; A.prototype.shared = ${v}; Object.defineProperty(A.prototype, 'hidden', { value: ${v}, configurable: true });`,
    probe: `[m.f(), m.f(), m.f.count, m.f.own(), Object.keys(m.f), m.g(), m.g.x, m.h(3), m.h(4), m.h.cache, m.A.later, new m.A().patched(), new m.A().shared, new m.A().hidden]`,
  },
  'fields, arrows and computed names': {
    source: (v) =>
      `let n = 0; export class A { x = ${v}; y = () => [this.x, ${v}]; ['c' + (n += 1)] = n; static ['s' + n] = 1; 'quoted name'() { return ${v}; } 42() { return 42; } static async *['gen']() { yield 1; } z; static z; }`,
    probe: `(() => { const a = new m.A(), { y } = a; return [y(), Object.keys(a), Object.keys(m.A), a['quoted name'](), a[42](), 'z' in a, 'z' in m.A]; })()`,
  },
  'calls of every kind': {
    source: (
      v,
    ) => `export function tag(strings, ...values) { return strings.raw.join('|') + values + ${v}; } export function bound() { return [this, ...arguments, ${v}]; } export const arrow = (...list) => [...list, ${v}]; export function handler(error, request, response, next) { next(${v}); }
      export function Old(x) { this.x = x; } Old.prototype = { get() { return this.x + ${v}; } }; export function Sub() {} Sub.prototype = Object.create(Old.prototype, { constructor: { value: Sub } });`,
    probe:
      "[m.tag`a${1}\\n${2}`, m.bound.bind(1, 2)(3), m.bound.apply('t', [4]), m.arrow.call(null, 5), m.handler.length, new (m.Old.bind(null, 3))().get(), new m.Old(4).get(), new m.Sub() instanceof m.Old, Reflect.apply(m.bound, 6, [7])]",
  },
  'statics that are written': {
    source: (
      v,
    ) => `export class A { static n = ${v}; static set(x) { this.n = x; } static list = []; static get own() { return Object.keys(this); } static { this.block = ${v}; } static self = A; static inst = new A(); static made = A.n + 1; }
      export class B extends A { static more = super.n; static set(x) { super.set(x + ${v}); } }`,
    probe: `(() => { const r = [m.A.n, m.B.n, m.B.more, m.A.block, m.A.self === m.A, m.A.inst instanceof m.A, m.A.made]; m.A.n = 5; r.push(m.A.n, m.B.n); class C extends m.B {} C.set(1); r.push(m.A.n, m.B.n, C.n, m.A.own, m.B.own, C.own); m.A.list.push(1); r.push(m.B.list); m.A.fresh = 1; r.push(m.B.fresh, delete m.A.fresh, m.A.fresh); return r; })()`,
  },
  'classes within a call or a cycle': {
    source: (
      v,
    ) => `export class Node1 { static root = new Node1(null); constructor(parent) { this.parent = parent; } child() { return new Node1(this); } isRoot() { return this === Node1.root; } }
      const mixin = (Base) => class extends Base { mixed() { return ${v}; } }; export class M extends mixin(Node1) {} export const K = mixin(M); export const isM = (x) => x instanceof M;`,
    probe: `[m.Node1.root.isRoot(), m.Node1.root.child().isRoot(), m.Node1.root.child() instanceof m.Node1, new m.M(null).mixed(), new m.K(1).mixed(), m.isM(new m.K(1)), m.K.name, m.M.root === m.Node1.root]`,
  },
  'errors thrown': {
    source: (v) =>
      `export class A { constructor() { throw new TypeError('made${v}'); } static m() { return A(); } } export class B { #p = 1; static p(o) { return o.#p; } } export const f = () => { null.x; }; export class G { get() { return this.nope(); } }`,
    probe: `(() => { const e = (f) => { try { return f(); } catch (e) { return [e.name, e.message.startsWith('Class constr') || e.message.includes('is not a constructor') || e.message]; } }; return [e(() => new m.A()), e(() => m.A()), e(() => m.A.m()), e(() => m.B.p({})), e(m.f), e(() => new m.f()), e(() => new m.G().get()), e(() => new m.G().get.call(undefined)), e(() => Reflect.construct(m.B.p, []))]; })()`,
  },
};

const accept = '\nimport.meta.hot.accept();';
const entry = `import * as ns from './a.mjs'; import { inspect } from 'node:util'; export const probe = (text) => { const m = { ...ns }; return (0, eval)('(inspect, m) => ' + text)(inspect, m); }; globalThis.latest = probe;`;
const latest = (): ((text: string) => unknown) =>
  (globalThis as unknown as { latest: (text: string) => unknown }).latest;

for (const [name, { source, probe }] of Object.entries(shapes)) {
  test(`${name} are the same in what is live`, async (t) => {
    const expected: unknown[] = [];
    const actual: unknown[] = [];
    for (const isLive of [false, true]) {
      const suffix = isLive ? accept : '';
      const results = isLive ? actual : expected;
      await t.test(isLive ? 'live' : 'plain', async (sub) => {
        const app = await runApp(sub, { 'main.mjs': entry, 'a.mjs': source(1) + suffix });
        results.push(await latest()(probe));
        await app.swap({ 'a.mjs': source(2) + suffix });
        results.push(await latest()(probe));
        await app.runtime.rollback();
        results.push(await latest()(probe));
      });
    }
    assert.deepEqual(actual, expected);
  });
}
