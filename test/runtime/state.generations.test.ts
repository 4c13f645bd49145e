/** Who sees which object of a state: modules of one generation, old code that still runs, and releases that ask no more. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { state, type StateOptions } from '../../src/index.ts';
import { createDeploys, toModule } from './state-fixture.ts';

type Cart = Map<string, number>;

const cart = (options?: StateOptions<Cart>): Cart => state('cart', (): Cart => new Map(), options);
const one = { version: 1 };
const two = {
  version: 2,
  migrate: { 2: { up: (each: Cart): Cart => each, down: (each: Cart): Cart => each } },
};

test('two modules of one release that want two versions are told of each other', () => {
  const { prepare } = createDeploys();
  const generation = prepare();
  generation.evaluate(() => cart(one), toModule('a.js'));
  assert.throws(() => generation.evaluate(() => cart(two), toModule('b.js')), {
    code: 'ERR_MIDFLIGHT_STATE_CONFLICT',
    message: /"cart" is asked for with version 1 by a\.js, and with 2 by b\.js; let one module declare it/,
  });
});

test('so is a module whose version is that of the process, in either order', () => {
  for (const [earlier, later] of [
    [one, two],
    [two, one],
  ] as const) {
    const { prepare, commit } = createDeploys();
    const first = prepare();
    first.evaluate(() => cart(one), toModule('a.js'));
    commit(first);
    const second = prepare();
    second.evaluate(() => cart(earlier), toModule('a.js'));
    assert.throws(() => second.evaluate(() => cart(later), toModule('b.js')), {
      code: 'ERR_MIDFLIGHT_STATE_CONFLICT',
    });
  }
});

test('and one that the release shares with the one before, which holds the old object', () => {
  const { prepare, commit } = createDeploys();
  const shared = toModule('a.js');
  const first = prepare();
  first.evaluate(() => cart(one), shared);
  commit(first);
  assert.throws(() => prepare(shared).evaluate(() => cart(two), toModule('b.js')), {
    code: 'ERR_MIDFLIGHT_STATE_CONFLICT',
    message: /with version 1 by a\.js, and with 2 by b\.js/,
  });
  const third = prepare();
  third.evaluate(() => cart(two), toModule('b.js'));
  commit(third);
});

test('old code that still runs keeps its object, also when it asks again, through later releases', () => {
  const { prepare, commit } = createDeploys();
  const first = prepare();
  const old = first.evaluate(() => cart(one));
  commit(first);
  const second = prepare();
  const fresh = second.evaluate(() => cart(two));
  commit(second);
  const third = prepare();
  third.evaluate(() => cart(two));
  commit(third);
  assert.equal(
    first.later(() => cart(one)),
    old,
  );
  assert.equal(
    third.later(() => cart(two)),
    fresh,
  );
  third.later(() => state('other', {}));
  assert.throws(() => first.later(() => state('other', {}, { version: 1 })), {
    code: 'ERR_MIDFLIGHT_STATE_CONFLICT',
    message: /with version 1 by code of generation 1, which is no longer current, and with 0 by the current/,
  });
});

test('code that was sent away in probation keeps its object, and leaves the others alone', () => {
  const { prepare, commit, goBack, registry } = createDeploys();
  const first = prepare();
  const old = first.evaluate(() => cart(one));
  commit(first);
  const second = prepare();
  const fresh = second.evaluate(() => cart(two));
  commit(second, { provisional: true });
  goBack(first);
  assert.equal(
    second.later(() => cart(two)),
    fresh,
  );
  second.later(() => state('new', {}));
  assert.deepEqual(registry.names(), ['cart']);
  assert.equal(
    first.later(() => cart(one)),
    old,
  );
});

test('code that asks later for a version of its own gets it where nobody else of its release asked', () => {
  const { prepare, commit } = createDeploys();
  const first = prepare();
  first.evaluate(() => cart(one)).set('apple', 1);
  commit(first);
  const second = prepare();
  commit(second);
  assert.deepEqual([...second.later(() => cart(two))], [['apple', 1]]);
  const third = prepare();
  third.evaluate(() => cart(two));
  commit(third);
  assert.throws(() => third.later(() => cart(one)), {
    code: 'ERR_MIDFLIGHT_STATE_CONFLICT',
    message: /with version 2 by main\.js, and with 1 by code that ran later/,
  });
});

test('what the old code makes while the new code is prepared is in the new code’s object', () => {
  const { prepare, commit } = createDeploys();
  const first = prepare();
  commit(first);
  const second = prepare();
  const fresh = second.evaluate(() => cart(one));
  first.later(() => cart(one)).set('apple', 1);
  commit(second);
  assert.deepEqual([...fresh], [['apple', 1]]);
});

test('a state that a release does not ask for is kept for one that does', () => {
  const { prepare, commit, registry } = createDeploys();
  const first = prepare();
  const kept = first.evaluate(() => cart(one));
  commit(first);
  const second = prepare();
  commit(second);
  assert.deepEqual(registry.names(), ['cart']);
  assert.equal(
    prepare().evaluate(() => cart(one)),
    kept,
  );
});

test('the data of an old version is let go with the code that held it, though other code of that time goes on', async () => {
  const { prepare, commit } = createDeploys();
  const first = prepare();
  const old = new WeakRef(first.evaluate(() => cart(one)));
  commit(first);
  const second = prepare();
  second.evaluate(() => cart(two));
  commit(second);
  await collectGarbage();
  assert.equal(old.deref(), undefined);
  assert.throws(() => first.later(() => cart(one)), { code: 'ERR_MIDFLIGHT_STATE_CONFLICT' });
});

test('a state holds on to the code that declared it last, and to none before', async () => {
  const { prepare, commit } = createDeploys();
  const references: WeakRef<object>[] = [];
  for (let count = 0; count < 3; count++) {
    const generation = prepare();
    const encode = (each: Cart): Cart => each;
    references.push(new WeakRef(encode));
    generation.evaluate(() => state('cart', (): Cart => new Map(), { encode, decode: (each: Cart) => each }));
    commit(generation);
  }
  await collectGarbage();
  assert.deepEqual(
    references.map((reference) => reference.deref() !== undefined),
    [false, false, true],
  );
});

async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  await new Promise(setImmediate);
  (runInNewContext('gc') as () => void)();
}
