/** Versions of a state: up and down, on copies, and what is said when there is no way. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { state, type StateOptions } from '../../src/index.ts';
import { createDeploys } from './state-fixture.ts';

type Users = Map<string, unknown>;

const users = (options?: StateOptions<Users>): Users =>
  state('users', (): Users => new Map<string, unknown>(), options);

/** 1 holds plain names, 2 objects with a name, 3 objects with an age as well. */
const step2 = {
  up: (old: Map<string, string>) => new Map([...old].map(([key, name]) => [key, { name }])),
  down: (newer: Map<string, { name: string }>) => new Map([...newer].map(([key, { name }]) => [key, name])),
};
const step3 = {
  up: (old: Map<string, { name: string }>) =>
    new Map([...old].map(([key, user]) => [key, { ...user, age: 7 }])),
  down: (newer: Map<string, { name: string }>) =>
    new Map([...newer].map(([key, { name }]) => [key, { name }])),
};
const one = { version: 1 };
const two = { version: 2, migrate: { 2: step2 } };
const three = { version: 3, migrate: { 2: step2, 3: step3 } };

test('steps lead up over several versions, and down again with what was written since', () => {
  const { prepare, commit } = createDeploys();
  const first = prepare();
  first.evaluate(() => users(one)).set('a', 'Ann');
  commit(first);
  const third = prepare();
  const newest = third.evaluate(() => users(three));
  assert.deepEqual([...newest], [['a', { name: 'Ann', age: 7 }]]);
  commit(third);
  newest.set('b', { name: 'Bob', age: 8 });
  const back = prepare();
  const old = back.evaluate(() => users(one));
  newest.set('c', { name: 'Cid', age: 9 });
  commit(back);
  assert.deepEqual(
    [...old],
    [
      ['a', 'Ann'],
      ['b', 'Bob'],
      ['c', 'Cid'],
    ],
  );
  assert.deepEqual(newest.get('a'), { name: 'Ann', age: 7 });
});

test('a missing step is named, in each direction, and nothing is called', () => {
  const { prepare, commit } = createDeploys();
  const first = prepare();
  const old = first.evaluate(() => users(one));
  commit(first);
  const neverCalled = { up: () => assert.fail(), down: () => assert.fail() };
  assert.throws(() => prepare().evaluate(() => users({ version: 3, migrate: { 2: neverCalled } })), {
    code: 'ERR_MIDFLIGHT_STATE_UNMIGRATED',
    message: /has version 1 and the new code wants 3, with no way up to 3;/,
  });
  const third = prepare();
  third.evaluate(() => users({ ...three, migrate: { 2: { up: step2.up }, 3: step3 } }));
  commit(third, { provisional: true });
  assert.throws(() => prepare().evaluate(() => users(one)), {
    code: 'ERR_MIDFLIGHT_STATE_UNMIGRATED',
    message:
      /has version 3 and the code to go to knows 1, but the code that runs says no way down from 2; deploy/,
  });
  assert.equal(
    first.later(() => users(one)),
    old,
  );
});

test('one function leads up from any version and never down', () => {
  const { prepare, commit } = createDeploys();
  const first = prepare();
  first.evaluate(() => users(one)).set('a', 'Ann');
  commit(first);
  const third = prepare();
  const migrate = (old: Users, from: number): Users => new Map([...old].map(([key]) => [key, from]));
  const fresh = third.evaluate(() => users({ version: 3, migrate }));
  assert.deepEqual([...fresh], [['a', 1]]);
  commit(third);
  assert.throws(() => prepare().evaluate(() => users(one)), { code: 'ERR_MIDFLIGHT_STATE_UNMIGRATED' });
});

for (const { what, up, said } of [
  {
    what: 'throws',
    up: () => {
      throw new TypeError('no such field');
    },
    said: /from version 1 to 2: up to 2 threw TypeError: no such field \(.*state\.migrate\.test\.ts:\d+:\d+\);/,
  },
  { what: 'returns nothing', up: () => undefined as never, said: /up to 2 returned nothing/ },
  { what: 'is async', up: (async () => new Map()) as never, said: /up to 2 returned a promise/ },
]) {
  test(`a step that ${what} is reported, and the old code goes on with its object`, () => {
    const { prepare, commit } = createDeploys();
    const first = prepare();
    const old = first.evaluate(() => users(one)).set('a', 'Ann');
    commit(first);
    assert.throws(() => prepare().evaluate(() => users({ version: 2, migrate: { 2: { up } } })), {
      code: 'ERR_MIDFLIGHT_STATE_MIGRATION_FAILED',
      message: said,
    });
    assert.equal(
      first.later(() => users(one)),
      old,
    );
    assert.deepEqual([...old], [['a', 'Ann']]);
  });
}

test('a step that throws half-way has changed its copy only', () => {
  const { prepare, commit } = createDeploys();
  const first = prepare();
  const old = first.evaluate(() => users(one)).set('a', 'Ann');
  commit(first);
  const clear = (each: Users): Users => {
    each.clear();
    throw new Error('half-way');
  };
  assert.throws(() => prepare().evaluate(() => users({ version: 2, migrate: clear })));
  assert.deepEqual([...old], [['a', 'Ann']]);
});

test('a rollback in probation brings back the very object, and nothing of the migrated one', () => {
  const { prepare, commit, goBack } = createDeploys();
  const first = prepare();
  const old = first.evaluate(() => users(one)).set('a', 'Ann');
  commit(first);
  const second = prepare();
  second.evaluate(() => users(two));
  commit(second, { provisional: true });
  second.later(() => users(two)).set('b', { name: 'Bob' });
  goBack(first);
  assert.equal(
    first.later(() => users(one)),
    old,
  );
  assert.deepEqual([...old], [['a', 'Ann']]);
  assert.equal(
    prepare().evaluate(() => users(one)),
    old,
  );
});

test('the code that ran last says how to go down from its version', () => {
  const { prepare, commit } = createDeploys();
  for (const migrate of [{ 2: { up: step2.up } }, { 2: step2 }]) {
    const generation = prepare();
    generation.evaluate(() => users({ version: 2, migrate })).set('a', { name: 'Ann' });
    commit(generation);
  }
  assert.deepEqual([...prepare().evaluate(() => users(one))], [['a', 'Ann']]);
});

test('an object that code took hold of within the state is still part of it after the commit', () => {
  const { prepare, commit } = createDeploys();
  const declare = (options?: StateOptions<Board>): Board =>
    state('board', (): Board => ({ members: new Map(), log: [] }), options);
  const first = prepare();
  const old = first.evaluate(() => declare());
  commit(first);
  old.log.push('one');
  const second = prepare();
  const board = second.evaluate(() => declare({ version: 1, migrate: (each: Board) => each }));
  const { members, log } = board;
  old.log.push('two');
  old.members.set('a', { name: 'Ann' });
  commit(second);
  assert.equal(board.members, members);
  assert.equal(board.log, log);
  assert.deepEqual(log, ['one', 'two']);
  assert.deepEqual([...members], [['a', { name: 'Ann' }]]);
});

interface Board {
  readonly members: Map<string, object>;
  readonly log: string[];
}

test('data that refers to itself does so in the new object, also after the commit', () => {
  interface Node {
    parent: Node | null;
    readonly children: Node[];
  }
  const { prepare, commit } = createDeploys();
  const declare = (options?: StateOptions<Node>): Node =>
    state('tree', (): Node => ({ parent: null, children: [] }), options);
  const first = prepare();
  const old = first.evaluate(() => declare());
  old.children.push({ parent: old, children: [] });
  commit(first);
  const second = prepare();
  const tree = second.evaluate(() => declare({ version: 1, migrate: (each: Node) => each }));
  old.children.push({ parent: old, children: [] });
  commit(second);
  assert.deepEqual(
    tree.children.map(({ parent }) => parent === tree),
    [true, true],
  );
  assert.notEqual(tree, old);
});
