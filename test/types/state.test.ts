/** What the types of `state()` infer and refuse. The compiler is the test; what runs is only that all of it can be called. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { defineConfig, state, type StateOptions } from '../../src/index.ts';

interface User {
  readonly name: string;
}

type Same<One, Other> = [One, Other] extends [Other, One] ? true : false;

function is<Expected>(): <Actual>(actual: Actual, same: Same<Actual, Expected>) => void {
  return () => undefined;
}

const toUsers = (old: readonly string[]): Map<string, User> => new Map(old.map((name) => [name, { name }]));
const init = (): Map<string, User> => new Map<string, User>();

test('the type of a state is that of its init', () => {
  is<Map<string, number>>()(
    state('a', () => new Map<string, number>()),
    true,
  );
  is<{ count: number }>()(state('b', { count: 0 }), true);
  is<number>()(state('c', Date.now), true);
  is<Promise<Map<string, number>>>()(
    state('d', async () => new Map<string, number>()),
    true,
  );
  is<Map<string, User>>()(state<Map<string, User>>('e', new Map(), { version: 1 }), true);
});

test('migrate may say what it gets, and has to make what init makes', () => {
  is<Map<string, User>>()(state('a', init, { version: 1, migrate: toUsers }), true);
  state('b', init, {
    version: 1,
    migrate: (old: string[], version) => (is<number>()(version, true), toUsers(old)),
  });
  // @ts-expect-error It makes an array.
  state('c', init, { version: 1, migrate: (old: string[]) => old });
  // @ts-expect-error What it gets is unknown until it says.
  state('d', init, { version: 1, migrate: (old) => new Map(old.entries()) });
});

test('the last step makes what init makes, and takes that on the way down', () => {
  const state3 = state('a', init, {
    version: 3,
    migrate: {
      2: { up: (csv: string) => csv.split(','), down: (names: string[]) => names.join(',') },
      3: {
        up: toUsers,
        down: (users: Map<string, User>) => [...users.keys()],
      },
    },
  });
  is<Map<string, User>>()(state3, true);
  // @ts-expect-error Step 3 makes an array.
  state('b', init, {
    version: 3,
    migrate: { 3: { up: (names: string[]) => names } },
  });
  // @ts-expect-error Step 3 gets a Map on the way down.
  state('c', init, { version: 3, migrate: { 3: { up: toUsers, down: (users: Set<string>) => [...users] } } });
  state('d', init, {
    version: 3,
    migrate: { 2: { up: (names: string[]) => names }, 3: { up: toUsers } },
  });
});

test('options that are written apart may have any steps', () => {
  const options: StateOptions<Map<string, User>> = {
    version: 3,
    migrate: { 2: { up: (csv: string) => csv.split(',') }, 3: { up: toUsers } },
  };
  is<Map<string, User>>()(state('a', init, options), true);
});

class Counter {
  #count: number;
  constructor(count = 0) {
    this.#count = count;
  }
  get count(): number {
    return this.#count;
  }
}

test('with encode and decode, migrations are about the data', () => {
  const counter = state('a', () => new Counter(), {
    encode: (each) => (is<Counter>()(each, true), each.count),
    decode: (count) => (is<number>()(count, true), new Counter(count)),
    version: 1,
    migrate: {
      1: { up: (old: string) => Number(old), down: (count: number) => String(count) },
    },
  });
  is<Counter>()(counter, true);
  // @ts-expect-error decode is missing.
  state('b', () => new Counter(), { encode: (each: Counter) => each.count });
});

test('defineConfig has the keys of the configuration and gives back what it got', () => {
  const config = { entry: 'server.ts', health: { path: '/health' } };
  assert.equal(defineConfig(config), config);
  // @ts-expect-error There is no such key.
  defineConfig({ entries: [] });
});
