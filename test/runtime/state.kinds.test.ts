/** What may be a state: objects of all kinds, what can be copied of them, and what is said where they can't be. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { state, type EncodedStateOptions } from '../../src/index.ts';
import { createDeploys } from './state-fixture.ts';

/** Declares in one generation and asks for another version in the next; gives both and a function that commits it. */
function migrateOnce<T>(init: () => T): { old: T; fresh: T; commit(): void } {
  const { prepare, commit } = createDeploys();
  const first = prepare();
  const old = first.evaluate(() => state('it', init));
  commit(first);
  const second = prepare();
  const fresh = second.evaluate(() => state('it', init, { version: 1, migrate: (each: never) => each }));
  return { old, fresh, commit: () => commit(second) };
}

test('what is written until commit reaches the new object, whatever it is', () => {
  const map = migrateOnce(() => new Map([['a', 1]]));
  map.old.delete('a');
  map.commit();
  assert.equal(map.fresh.size, 0);

  const set = migrateOnce(() => new Set(['a']));
  set.old.add('b');
  set.commit();
  assert.deepEqual([...set.fresh], ['a', 'b']);

  const list = migrateOnce(() => ['a', 'b', 'c']);
  list.old.length = 1;
  list.commit();
  assert.deepEqual(list.fresh, ['a']);

  const date = migrateOnce(() => new Date(0));
  date.old.setTime(5);
  date.commit();
  assert.equal(date.fresh.getTime(), 5);

  const bytes = migrateOnce(() => new Float64Array(2));
  bytes.old[1] = 0.5;
  bytes.commit();
  assert.deepEqual([...bytes.fresh], [0, 0.5]);

  const fields = migrateOnce((): Record<string, number> => ({ a: 1 }));
  delete fields.old['a'];
  fields.old['b'] = 2;
  fields.commit();
  assert.deepEqual(fields.fresh, { b: 2 });

  const bare = migrateOnce((): Record<string, number> => Object.create(null) as Record<string, number>);
  bare.old['a'] = 1;
  bare.commit();
  assert.equal(bare.fresh['a'], 1);
});

test('of a number or a string the first value is everybody’s, and a migration makes another one', () => {
  const { prepare, commit } = createDeploys();
  const first = prepare();
  assert.equal(
    first.evaluate(() => state('startedAt', () => 5)),
    5,
  );
  commit(first);
  const second = prepare();
  assert.equal(
    second.evaluate(() => state('startedAt', () => 6)),
    5,
  );
  commit(second);
  const third = prepare();
  const toText = (old: number): string => `at ${old}`;
  const read = (): string => state('startedAt', () => '', { version: 1, migrate: toText });
  assert.equal(third.evaluate(read), 'at 5');
  commit(third);
  assert.equal(third.later(read), 'at 5');
});

test('a promise is kept as it is, and can not be migrated', async () => {
  const { prepare, commit } = createDeploys();
  const connect = async (): Promise<object> => ({ connected: true });
  const first = prepare();
  const one = first.evaluate(() => state('database', connect));
  commit(first);
  const second = prepare();
  assert.equal(
    second.evaluate(() => state('database', connect)),
    one,
  );
  assert.deepEqual(await one, { connected: true });
  const migrate = async (): Promise<object> => connect();
  assert.throws(() => prepare().evaluate(() => state('database', connect, { version: 1, migrate })), {
    code: 'ERR_MIDFLIGHT_STATE_UNENCODABLE',
  });
});

test('what can not be copied matters only when it has to be', () => {
  const { prepare, commit } = createDeploys();
  const init = (): { run(): void } => ({ run: () => undefined });
  const first = prepare();
  const one = first.evaluate(() => state('handlers', init));
  commit(first);
  assert.equal(
    prepare().evaluate(() => state('handlers', init)),
    one,
  );
  const migrate = (): { run(): void } => assert.fail();
  assert.throws(() => prepare().evaluate(() => state('handlers', init, { version: 1, migrate })), {
    code: 'ERR_MIDFLIGHT_STATE_UNENCODABLE',
    message: /"handlers" can't be copied: .*could not be cloned; give state\(\) encode and decode/s,
  });
});

class Session {
  name = 'Ann';
}

test('an instance of a class is not made a plain object without a word, however deep it is', () => {
  for (const init of [
    () => new Session(),
    () => new Map([['a', [{ session: new Session() }]]]),
    () => ({ cycle: new Set([new Session()]) }),
  ]) {
    assert.throws(() => migrateOnce<object>(init), {
      code: 'ERR_MIDFLIGHT_STATE_UNENCODABLE',
      message: /it holds a Session, and a copy of that would be a plain object/,
    });
  }
  assert.throws(() => migrateOnce(() => ({ bytes: Buffer.from('a') })), { message: /it holds a Buffer/ });
});

test('the state itself becomes an instance of a class by decode only', () => {
  const { prepare, commit } = createDeploys();
  const first = prepare();
  first.evaluate(() => state('session', { name: 'Ann' }));
  commit(first);
  const migrate = (): Session => new Session();
  assert.throws(
    () => prepare().evaluate(() => state('session', () => new Session(), { version: 1, migrate })),
    { code: 'ERR_MIDFLIGHT_STATE_UNENCODABLE', message: /migrate makes it a Session/ },
  );
});

class Counter {
  #count: number;
  constructor(count = 0) {
    this.#count = count;
  }
  get count(): number {
    return this.#count;
  }
  increment(): void {
    this.#count++;
  }
}

const coding: EncodedStateOptions<Counter, number> = {
  encode: ({ count }) => count,
  decode: (count) => new Counter(count),
};
const counter = (options: EncodedStateOptions<Counter, number>): Counter =>
  state('counter', () => new Counter(), options);
const tenfold = {
  ...coding,
  version: 1,
  migrate: { 1: { up: (n: number) => n * 10, down: (n: number) => n / 10 } },
};

test('with encode and decode a migration gets data, up by the new code and down to the old', () => {
  const { prepare, commit } = createDeploys();
  const first = prepare();
  first.evaluate(() => counter(coding)).increment();
  commit(first);
  const second = prepare();
  const fresh = second.evaluate(() => counter(tenfold));
  assert.equal(fresh.count, 10);
  commit(second);
  const third = prepare();
  assert.equal(third.evaluate(() => counter(coding)).count, 1);
});

test('what was written meanwhile and can not be put into the new object is refused, not lost', () => {
  const { prepare, commit } = createDeploys();
  const first = prepare();
  const old = first.evaluate(() => counter(coding));
  commit(first);
  const second = prepare();
  second.evaluate(() => counter(tenfold));
  old.increment();
  assert.throws(() => commit(second), {
    code: 'ERR_MIDFLIGHT_STATE_MIGRATION_FAILED',
    message: /written while the new code was prepared .* private fields/,
  });
  assert.equal(
    first.later(() => counter(coding)),
    old,
  );
});

test('decode that throws is a failed migration', () => {
  const { prepare, commit } = createDeploys();
  const first = prepare();
  first.evaluate(() => counter(coding));
  commit(first);
  const decode = (): Counter => {
    throw new Error('not a count');
  };
  assert.throws(() => prepare().evaluate(() => counter({ ...tenfold, decode })), {
    code: 'ERR_MIDFLIGHT_STATE_MIGRATION_FAILED',
    message: /decode threw Error: not a count/,
  });
});

test('an init that throws leaves nothing, and is called again', () => {
  const { prepare } = createDeploys();
  const generation = prepare();
  let calls = 0;
  const init = (): object => {
    if (++calls === 1) throw new Error('not yet');
    return {};
  };
  assert.throws(() => generation.evaluate(() => state('late', init)), /not yet/);
  generation.evaluate(() => state('late', init));
  assert.equal(calls, 2);
});

test('options that can not be are refused', () => {
  const { prepare } = createDeploys();
  const step = { up: (each: unknown) => each };
  for (const [options, said] of [
    [{ version: 1.5 }, /version is 1\.5/],
    [{ version: -1 }, /version is -1/],
    [{ version: 1, migrate: { 1: step, 2: step } }, /migrate has a step 2, and version is 1/],
    [{ version: 1, migrate: { 0: step } }, /a step "0"/],
    [{ encode: () => 1 }, /encode and decode go together/],
  ] as const) {
    assert.throws(() => prepare().evaluate(() => state('it', {}, options as object)), {
      code: 'ERR_MIDFLIGHT_STATE_INVALID',
      message: said,
    });
  }
});
