/** Private names that versions of a class have in common. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPrivateNames, type ClassPrivates } from '../../src/runtime/private-names.ts';
import { replaceInPlace } from '../../src/runtime/replace-in-place.ts';
import { change, createApp, graphOf, run } from './module-graph-fixture.ts';

const privates = (stable: object | null = null): ClassPrivates => createPrivateNames(() => stable)('Foo');

test('a field lands once, on a frozen object too, and shows nothing', () => {
  const field = privates().field('#a');
  const object = Object.freeze({});
  field.add(object, 1);
  field.set(object, 2);
  assert.deepEqual(
    [field.get(object), field.has(object), field.has({}), Reflect.ownKeys(object)],
    [2, true, false, []],
  );
  assert.throws(() => field.add(object), new TypeError('Cannot initialize #a twice on the same object'));
});

test('what has no such name is a TypeError that says so', () => {
  const field = privates().field('#a');
  const read = new TypeError('Cannot read private member #a from an object whose class did not declare it');
  const write = new TypeError('Cannot write private member #a to an object whose class did not declare it');
  for (const object of [{}, 1, null, undefined, field]) {
    assert.throws(() => field.get(object), read);
    assert.throws(() => field.set(object, 1), write);
  }
  assert.throws(() => field.has(1), TypeError);
});

test('the versions of a class share its fields, other classes and modules do not', () => {
  const names = createPrivateNames(() => null);
  const object = {};
  names('Foo').field('#a').add(object, 1);
  assert.equal(names('Foo').field('#a').get(object), 1);
  assert.deepEqual(
    [names('Foo').field('#b'), names('Bar').field('#a'), privates().field('#a')].map((field) =>
      field.has(object),
    ),
    [false, false, false],
  );
});

test('a reference asks for its object only when it is used', () => {
  const field = privates().field('#a');
  const reference = field.ref({});
  assert.throws(() => reference.value, TypeError);
  assert.throws(() => {
    reference.value = 1;
  }, TypeError);
  assert.deepEqual([field.opt(null), field.opt(undefined)], [undefined, undefined]);
});

test('a static name is had by the class and by its stable object, in one version', () => {
  const stable = {};
  const [one, two] = [{}, {}];
  const names = privates(stable);
  const [first, second] = [names.staticField('#s'), names.staticField('#s')];
  assert.throws(() => first.get(stable), TypeError);
  first.add(one, 1);
  second.add(two, 2);
  assert.deepEqual([first.get(stable), first.get(one), second.get(stable)], [1, 1, 2]);
  assert.throws(() => first.get(two), TypeError);
});

const version = (text: string, start: number): string => `
  export class Foo {
    #n = ${start}; static #made = ${start};
    static make() { Foo.#made += 1; return new this(); }
    static get made() { return this.#made; }
    #say() { return ["${text}", this.#n++]; }
    say() { return this.#say(); }
  }
  import.meta.hot?.accept();`;

test('an instance lives on over versions of its class, with its private fields and the new private methods', async (t) => {
  const app = createApp(t, { 'main.js': 'export * from "./foo.js";', 'foo.js': version('one', 1) });
  const first = await graphOf(app);
  interface Exports {
    readonly Foo: { readonly make: () => { readonly say: () => unknown }; readonly made: number };
  }
  const { Foo } = (await run(first)) as unknown as Exports;
  const old = Foo.make();
  assert.deepEqual([old.say(), Foo.made], [['one', 1], 2]);
  change(app, { 'foo.js': version('two', 100) });
  const second = await graphOf(app, { previous: first });
  const next = (await run(second)) as unknown as Exports;
  replaceInPlace(second, () => []);
  assert.equal(next.Foo, Foo);
  assert.deepEqual([old.say(), Foo.make().say(), Foo.made], [['two', 2], ['two', 100], 101]);
  assert.deepEqual(Reflect.ownKeys(old), []);
});
