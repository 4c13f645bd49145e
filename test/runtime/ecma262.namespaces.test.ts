import assert from 'node:assert/strict';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { createApp, graphOf, run, type Files, type Namespace } from './module-graph-fixture.ts';

const files: Files = {
  'main.js': `export * as ns from './a.js'; export { early } from './cycle.js';`,
  'a.js': `export let n = 1; export const up = () => ++n; export function f() { return this; } export default class K {}
    const one = 1; export { one as '10', one as '9', one as 'Z', one as 'ä', one as '__proto__', one as 'then-' };
    export * as inner from './b.js'; export * from './b.js'; export * from './c.js';`,
  'b.js': `export const b = {}; export const both = 1;`,
  'c.js': `export const both = 2;`,
  // Evaluated before what it reads.
  'cycle.js': `import * as late from './late.js'; export const early = globalThis.ecma262Probe(late); export function seen() {}`,
  'late.js': `import './cycle.js'; export let x = 1; export const y = 2; export { seen } from './cycle.js';`,
};

type Probe = (ns: Namespace) => unknown;

/** By section of ECMA-262, what is done with a namespace. */
const probes: Readonly<Record<string, Probe>> = {
  '10.4.6.1 [[GetPrototypeOf]]: null': (ns) => [Object.getPrototypeOf(ns), ns instanceof Object],
  '10.4.6.2 [[SetPrototypeOf]]: only to what it is': (ns) => [
    Reflect.setPrototypeOf(ns, null),
    Reflect.setPrototypeOf(ns, {}),
  ],
  '10.4.6.2 setting another prototype throws': (ns) => Object.setPrototypeOf(ns, {}) as unknown,
  '10.4.6.3 [[IsExtensible]]: false': (ns) => Object.isExtensible(ns),
  '10.4.6.4 [[PreventExtensions]]: true': (ns) => Reflect.preventExtensions(ns),
  '10.4.6.5 [[GetOwnProperty]]: writable, enumerable, not configurable': (ns) =>
    Object.getOwnPropertyDescriptors(ns),
  '10.4.6.5 nothing for what is not exported': (ns) => [
    Reflect.getOwnPropertyDescriptor(ns, 'none'),
    Reflect.getOwnPropertyDescriptor(ns, Symbol.iterator),
  ],
  '10.4.6.6 [[DefineOwnProperty]]: true for what changes nothing': (ns) => [
    Reflect.defineProperty(ns, 'n', {}),
    Reflect.defineProperty(ns, 'n', {
      value: ns['n'],
      writable: true,
      enumerable: true,
      configurable: false,
    }),
    Reflect.defineProperty(ns, Symbol.toStringTag, { value: 'Module' }),
  ],
  '10.4.6.6 false for what would': (ns) => [
    Reflect.defineProperty(ns, 'n', { value: 7 }),
    Reflect.defineProperty(ns, 'n', { writable: false }),
    Reflect.defineProperty(ns, 'n', { enumerable: false }),
    Reflect.defineProperty(ns, 'n', { configurable: true }),
    Reflect.defineProperty(ns, 'n', { get: () => 1 }),
    Reflect.defineProperty(ns, 'none', { value: 1 }),
    Reflect.defineProperty(ns, Symbol.toStringTag, { value: 'Other' }),
    Reflect.defineProperty(ns, Symbol.iterator, { value: 1 }),
  ],
  '10.4.6.6 defining throws': (ns) => Object.defineProperty(ns, 'n', { value: 7 }),
  '10.4.6.7 [[HasProperty]]: the exports and toStringTag': (ns) =>
    ['n', 'default', 'both', 'toString', '__proto__', 'constructor', Symbol.toStringTag].map(
      (key) => key in ns,
    ),
  '10.4.6.8 [[Get]]: the current value': (ns) => [ns['n'], (ns['up'] as () => number)(), ns['n'], ns['none']],
  '10.4.6.8 [[Get]] through an object that inherits from it': (ns) => (Object.create(ns) as Namespace)['Z'],
  '10.4.6.9 [[Set]]: false (V8: unless there is another receiver)': (ns) => [
    Reflect.set(ns, 'n', 7),
    Reflect.set(ns, 'none', 7),
    Reflect.set(ns, Symbol.toStringTag, 7),
    Reflect.set(ns, 'n', 7, {}),
    ns['n'] === 7,
  ],
  '10.4.6.9 an assignment throws': (ns) => (ns['n'] = 7),
  '10.4.6.9 an assignment to what is not exported throws': (ns) => (ns['none'] = 7),
  '10.4.6.9 an assignment to what inherits from it': (ns) => ((Object.create(ns) as Namespace)['n'] = 7),
  '10.4.6.10 [[Delete]]: true for what is not there': (ns) => [
    Reflect.deleteProperty(ns, 'n'),
    Reflect.deleteProperty(ns, 'none'),
    Reflect.deleteProperty(ns, Symbol.toStringTag),
    Reflect.deleteProperty(ns, Symbol.iterator),
  ],
  '10.4.6.10 delete throws': (ns) => delete ns['n'],
  '10.4.6.11 [[OwnPropertyKeys]]: sorted by code unit (V8: numbers first), then the symbol': (ns) =>
    Reflect.ownKeys(ns),
  '10.4.6.11 ambiguous names are left out': (ns) => Object.keys(ns).includes('both'),
  '10.4.6.11 for-in, spread, JSON and Object.assign': (ns) => {
    const seen: string[] = [];
    for (const key in ns) seen.push(key);
    return [
      seen,
      { ...ns },
      JSON.stringify(ns),
      Object.keys(Object.assign({}, ns)),
      Object.entries(ns).length,
    ];
  },
  '28.3.1 @@toStringTag': (ns) => [
    Object.prototype.toString.call(ns),
    Reflect.getOwnPropertyDescriptor(ns, Symbol.toStringTag),
  ],
  'sealed, not frozen': (ns) => [Object.isSealed(ns), Object.isFrozen(ns), Object.seal(ns) === ns],
  'freeze throws': (ns) => Object.freeze(ns),
  'no own methods': (ns) => `${ns as unknown as string}`,
  'a method is called on the namespace': (ns) => (ns as { f(): unknown }).f() === ns,
  'structuredClone refuses it': (ns) => structuredClone(ns),
};

const uninitialized: Readonly<Record<string, Probe>> = {
  'x can not be read': (ns) => ns['x'],
  'its descriptor neither': (ns) => Reflect.getOwnPropertyDescriptor(ns, 'x'),
  'nor defined': (ns) => Reflect.defineProperty(ns, 'x', {}),
  'nor hasOwn asked': (ns) => Object.hasOwn(ns, 'x'),
  'in needs no value': (ns) => ['x' in ns, 'seen' in ns, 'none' in ns],
  'keys need values': (ns) => Object.keys(ns),
  'own names do not': (ns) => Reflect.ownKeys(ns),
  'for-in needs values': (ns) => {
    for (const key in ns) return key;
    return null;
  },
  'spread needs values': (ns) => ({ ...ns }),
  'isFrozen needs values': (ns) => Object.isFrozen(ns),
  'set is refused without one': (ns) => [Reflect.set(ns, 'x', 1), Reflect.deleteProperty(ns, 'x')],
  'what is hoisted is there': (ns) => typeof ns['seen'],
};

/** Messages of a Proxy are V8's own; everything else is the same. */
function outcome(probe: Probe, ns: Namespace): unknown {
  try {
    return { value: show(probe(ns), ns) };
  } catch (error) {
    const { name, message } = error as Error;
    return name === 'ReferenceError' ? { name, message } : { name };
  }
}

function show(value: unknown, ns: Namespace): string {
  // `inspect` tells a Proxy from what it stands for, Node 26 also in words.
  const text = inspect(value, { depth: 5 })
    .replaceAll('[Object: null prototype] [Module]', '[Module: null prototype]')
    .replaceAll(/Proxy\((\[Module: null prototype\] \{[^)]*\})\)/g, '$1');
  return value === ns ? 'the namespace' : text;
}

function outcomes(table: Readonly<Record<string, Probe>>, ns: Namespace): Record<string, unknown> {
  return Object.fromEntries(Object.entries(table).map(([name, probe]) => [name, outcome(probe, ns)]));
}

function exposeProbe(t: TestContext): void {
  Object.assign(globalThis, { ecma262Probe: (ns: Namespace) => outcomes(uninitialized, ns) });
  t.after(() => Reflect.deleteProperty(globalThis, 'ecma262Probe'));
}

test('a namespace object behaves as a native one: ECMA-262 10.4.6', async (t) => {
  exposeProbe(t);
  const app = createApp(t, files);
  const ours = (await run(await graphOf(app))) as { ns: Namespace; early: Record<string, unknown> };
  const native = (await import(pathToFileURL(path.join(app.root, app.entry)).href)) as typeof ours;
  for (const [name, probe] of Object.entries(probes)) {
    await t.test(name, () => assert.deepEqual(outcome(probe, ours.ns), outcome(probe, native.ns)));
  }
  for (const name of Object.keys(uninitialized)) {
    await t.test(`before initialization: ${name}`, () =>
      assert.deepEqual(ours.early[name], native.early[name]),
    );
  }
});

test('a namespace is inspected with its values, also past a Proxy', async (t) => {
  exposeProbe(t);
  const ours = (await run(await graphOf(createApp(t, files)))) as { ns: Namespace };
  assert.match(inspect(ours.ns), /\bn: 1\b.*\bup: /s);
});

/** What is not used as a whole is not read from a namespace object, which must not be seen. 13.3.2 Property Accessors, 16.2.2 Imports */
const members: Files = {
  'main.js': `import * as ns from './a.js'; import * as dep from 'dep'; import * as os from 'node:os'; import * as self from './main.js'; import * as c from './c.cjs'; import * as viaDep from './star.js';
    const tried = (f) => { try { return f(); } catch (e) { return e.name; } };
    const before = ns.n; ns.up();
    export const own = 1;
    export const result = {
      live: [before, ns.n, ns?.n, (ns).n], missing: [ns.none, ns?.none?.x, ns.both, typeof ns.none, ns.toString, ns.__proto__, dep.none, c.none],
      missingCall: [tried(() => ns.none()), tried(() => new ns.none()), ns.none?.()],
      receiver: [ns.f() === ns, ns.f?.() === ns, ns?.f() === ns, (ns.f)() === ns, (ns?.f)() === ns, ns.f\`\` === ns, (0, ns.f)() === undefined, ns.late() === ns, ns.renamed() === ns, ns.viaStar() === ns],
      receiverOfDep: [dep.f() === dep, viaDep.f() === viaDep, viaDep.f() === dep], receiverOfCjs: [c.f() === c, (0, c.f)()],
      star: [ns.viaStar() === ns, ns.b.x, ns.inner.b === ns.b, ns.inner.both, ns.default.name, os.EOL.length, viaDep.x],
      newed: new ns.K(3).value, sub: new (class extends ns.K {})(4).value, tag: ns.tag\`a\${1}b\`,
      written: [tried(() => { ns.n = 1; }), tried(() => { ns.n++; }), tried(() => { [ns.n] = [1]; }), tried(() => { ({ a: ns.n } = { a: 1 }); }), tried(() => { ({ a: ns.n = 2 } = {}); }), tried(() => { [...ns.n] = [1]; }), tried(() => { for (ns.n of [1]); }), tried(() => { for (ns.n in { a: 1 }); }), tried(() => delete ns.n), tried(() => delete ns?.none), ns.n],
      shadowed: ((ns) => ns.n)({ n: 'own' }), literal: { a: ns.n, [ns.n]: 1 }, self: self.own, computed: ns['n'], optional: ns?.['n'],
      named: [ns.f.name, ns.arrow.name, ns.default.name],
    };`,
  'a.js': `export let n = 1; export const up = () => ++n; export function f() { return this; } export const arrow = () => 1; export default class K { constructor(v) { this.value = v; } }
    export { K }; export function tag(s, ...v) { return s.join() + v; } export * as inner from './b.js'; export * from './b.js'; export * from './c.js';
    export let late = () => 1; late = function () { return this; }; export { again as renamed } from './b.js';`,
  'b.js': `export const b = { x: 'x' }; export const both = 1; export function viaStar() { return this; } export function again() { return this; }`,
  'c.js': `export const both = 2;`,
  'c.cjs': `exports.f = function () { return this === undefined ? 'none' : this; };`,
  'star.js': `export * from 'dep'; export const y = 1;`,
  'node_modules/dep/package.json': `{"type":"module","exports":"./index.js"}`,
  'node_modules/dep/index.js': `export const x = 1; export function f() { return this; }`,
};

test('a member of a namespace is what Node reads, calls and refuses', async (t) => {
  const app = createApp(t, members);
  const ours = await run(await graphOf(app));
  const native = (await import(pathToFileURL(path.join(app.root, app.entry)).href)) as Namespace;
  assert.deepEqual(ours['result'], native['result']);
});

test('a member of a namespace is read from the binding: no namespace object is made', async (t) => {
  const app = createApp(t, {
    'main.js': `import * as ns from './a.js'; export const result = [ns.n, ns.f(), ns.none];`,
    'a.js': `export const n = 1; export function f() { return 2; }`,
  });
  const graph = await graphOf(app);
  assert.deepEqual((await run(graph))['result'], [1, 2, undefined]);
  assert.equal(graph.instances.get('a.js')?.namespace, null);
});

test('a stack trace names a function that is called on a namespace as Node does', async (t) => {
  const app = createApp(t, {
    'main.js': `import * as ns from './a.js'; export const result = ns.f().split('\\n')[1].trim().split(' (')[0];`,
    'a.js': `export function f() { return new Error().stack; }`,
  });
  const native = (await import(pathToFileURL(path.join(app.root, app.entry)).href)) as Namespace;
  assert.equal((await run(await graphOf(app)))['result'], native['result']);
});
