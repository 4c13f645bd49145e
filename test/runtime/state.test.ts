import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { state, type EncodedStateOptions, type StateOptions } from '../../src/index.ts';
import { type GenerationScope, runInScope } from '../../src/runtime/generation-scope.ts';
import { createStateRegistry, type StateRegistry } from '../../src/runtime/state.ts';
import { encodeAll, isFinal } from './state-fixture.ts';

let registry: StateRegistry;
beforeEach(() => {
  registry = createStateRegistry();
});

function createScope(generation: number, status: GenerationScope['status'] = 'preparing'): GenerationScope {
  return { generation, release: `r${generation}`, status, inFlightCount: 0 };
}

const users = (scope: GenerationScope, options?: StateOptions<Map<string, unknown>>) =>
  runInScope(scope, () => state('users', () => new Map<string, unknown>(), options));

interface User {
  name: string;
}

/** Version 1 holds users by name where version 0 held plain names. */
const byUser: StateOptions<Map<string, unknown>> = {
  version: 1,
  migrate: (old: Map<string, string>) =>
    new Map([...old].map(([key, name]) => [key, { name } satisfies User])),
};

test('without Midflight state is what init makes', () => {
  Reflect.deleteProperty(globalThis, Symbol.for('midflight.state'));
  const value = { count: 1 };
  assert.equal(state('a', value), value);
  assert.deepEqual(
    state('a', () => ({ count: 2 })),
    { count: 2 },
  );
});

test('every generation gets the same live object', () => {
  const one = createScope(1);
  const first = users(one);
  registry.commit(one);
  one.status = 'current';
  first.set('a', 'Ann');
  assert.equal(users(createScope(2)), first);
  assert.equal(users(one), first);
});

test('what an aborted generation declared vanishes', () => {
  const one = createScope(1);
  const first = users(one);
  assert.equal(users(one), first);
  registry.abort(one);
  assert.deepEqual(registry.names(), []);
  assert.notEqual(users(createScope(2)), first);
});

test('a migration makes a copy; the old code keeps its own, and writes until commit are carried over', () => {
  const one = createScope(1);
  const old = users(one).set('a', 'Ann');
  registry.commit(one);
  const two = createScope(2);
  const fresh = users(two, byUser);
  assert.deepEqual([...fresh], [['a', { name: 'Ann' }]]);
  assert.equal(users(one), old);
  old.set('b', 'Bob');
  registry.commit(two);
  assert.deepEqual(fresh.get('b'), { name: 'Bob' });
  assert.equal(users(createScope(3), byUser), fresh);
  assert.deepEqual(
    [...old],
    [
      ['a', 'Ann'],
      ['b', 'Bob'],
    ],
  );
});

test('an aborted migration leaves the state as it was', () => {
  const one = createScope(1);
  const old = users(one);
  registry.commit(one);
  const two = createScope(2);
  users(two, byUser);
  registry.abort(two);
  assert.equal(users(createScope(3)), old);
});

test('going back brings back what the generations since had replaced, until they are settled', () => {
  const one = createScope(1);
  const old = users(one);
  registry.commit(one);
  registry.settle();
  const two = createScope(2);
  users(two, byUser);
  runInScope(two, () => state('new', []));
  registry.commit(two);
  const three = createScope(3);
  users(three, { ...byUser, version: 2, migrate: (each: Map<string, unknown>) => each });
  registry.commit(three);
  registry.goBack(one);
  assert.equal(users(createScope(4)), old);
  assert.deepEqual(registry.names(), ['users']);
});

test('another version without migrate, and a migrate that throws, are errors that change nothing', () => {
  const one = createScope(1);
  const old = users(one);
  registry.commit(one);
  assert.throws(() => users(createScope(2), { version: 1 }), { code: 'ERR_MIDFLIGHT_STATE_UNMIGRATED' });
  const broken = () => {
    throw new Error('no such field');
  };
  assert.throws(() => users(createScope(3), { version: 1, migrate: broken }), {
    code: 'ERR_MIDFLIGHT_STATE_MIGRATION_FAILED',
    message: /no such field/,
  });
  assert.equal(users(createScope(4)), old);
});

test('a migration that fails at commit leaves all states as they were', () => {
  const one = createScope(1);
  const old = users(one);
  registry.commit(one);
  const two = createScope(2);
  users(two, {
    version: 1,
    migrate: (each: Map<string, string>) => new Map([...each].map(([k, v]) => [k, v.length])),
  });
  runInScope(two, () => state('other', []));
  old.set('a', undefined);
  assert.throws(() => registry.commit(two), { code: 'ERR_MIDFLIGHT_STATE_MIGRATION_FAILED' });
  assert.deepEqual(registry.names(), ['users']);
  assert.equal(users(createScope(3)), old);
});

test('state passes to another process, before or after its modules have declared it', () => {
  const scope = createScope(1, 'current');
  users(scope).set('a', 'Ann');
  runInScope(scope, () => state('hits', { count: 3 }));
  const encoded = encodeAll(registry);
  const other = createStateRegistry();
  const declared = users(createScope(1));
  declared.set('z', 'gone');
  other.receive(encoded, isFinal);
  assert.deepEqual([...declared], [['a', 'Ann']]);
  assert.deepEqual(
    state('hits', () => ({ count: 0 })),
    { count: 3 },
  );
});

test('what nobody has declared is passed on all the same', () => {
  users(createScope(1, 'current')).set('a', 'Ann');
  const second = createStateRegistry();
  second.receive(encodeAll(registry), isFinal);
  createStateRegistry().receive(encodeAll(second), isFinal);
  assert.deepEqual([...users(createScope(1))], [['a', 'Ann']]);
});

test('a received state of another version is migrated', () => {
  users(createScope(1, 'current')).set('a', 'Ann');
  createStateRegistry().receive(encodeAll(registry), isFinal);
  assert.deepEqual([...users(createScope(1), byUser)], [['a', { name: 'Ann' }]]);
});

test('encode and decode stand in for what can not be cloned, also in a migration', () => {
  class Counter {
    #count = 0;
    increment = (): number => ++this.#count;
    get count(): number {
      return this.#count;
    }
    static from(count: number): Counter {
      const counter = new Counter();
      while (counter.count < count) counter.increment();
      return counter;
    }
  }
  const coding = {
    encode: (counter: Counter) => counter.count,
    decode: (count: number) => Counter.from(count),
  };
  const declare = (options: EncodedStateOptions<Counter, number>) =>
    state('counter', () => new Counter(), options);
  const one = createScope(1);
  runInScope(one, () => declare(coding)).increment();
  registry.commit(one);
  const migrate = (count: number) => count * 10;
  assert.equal(runInScope(createScope(2), () => declare({ ...coding, version: 1, migrate })).count, 10);
  createStateRegistry().receive(encodeAll(registry), isFinal);
  assert.equal(runInScope(createScope(1), () => declare(coding)).count, 1);
});

test('a state that can not be cloned is named in the error', () => {
  runInScope(createScope(1, 'current'), () => state('handlers', { run: () => undefined }));
  assert.throws(() => encodeAll(registry), {
    code: 'ERR_MIDFLIGHT_STATE_UNENCODABLE',
    message: /"handlers"/,
  });
});
