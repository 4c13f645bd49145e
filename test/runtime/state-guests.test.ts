/** States of plugins on their way from the registry of one process to that of another. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOwnStates, createStateRegistry, type StateRegistry } from '../../src/runtime/state.ts';
import { encodeAll, isFinal } from './state-fixture.ts';

const count = (states: StateRegistry, options = {}): { n: number } =>
  states.state('count', () => ({ n: 0 }), options) as { n: number };

test('what a guest has goes with the states of the app, under its name, to who is there and to who comes later', () => {
  const old = createStateRegistry();
  old.state('count', { n: 1 });
  const [greet, rules] = [createOwnStates(), createOwnStates()];
  old.admit('greet', greet);
  old.admit('rules', rules);
  count(greet).n = 2;
  count(rules).n = 3;
  const encoded = encodeAll(old);
  assert.deepEqual(
    encoded.map(({ name }) => name),
    ['count', 'plugin greet: count', 'plugin rules: count'],
  );
  const next = createStateRegistry();
  const here = createOwnStates();
  next.admit('greet', here);
  const held = count(here);
  assert.deepEqual(next.receive(encoded, isFinal), []);
  assert.deepEqual([held.n, count(next).n], [2, 1]);
  const late = createOwnStates();
  next.admit('rules', late);
  assert.equal(count(late).n, 3);
});

test('a version that the other process has not is told by the guest’s name, and what nobody has taken goes on', () => {
  const old = createStateRegistry();
  const greet = createOwnStates();
  old.admit('greet', greet);
  count(greet, { version: 2 }).n = 2;
  assert.throws(() => encodeAll(old, new Map([['plugin greet: count', 1]])), {
    code: 'ERR_MIDFLIGHT_STATE_UNMIGRATED',
  });
  const between = createStateRegistry();
  between.receive(encodeAll(old), isFinal);
  const last = createStateRegistry();
  last.receive(encodeAll(between), isFinal);
  const late = createOwnStates();
  last.admit('greet', late);
  assert.equal(count(late, { version: 2 }).n, 2);
});

test('what came early is replaced by what came last, also for who comes in between', () => {
  const old = createStateRegistry();
  const greet = createOwnStates();
  old.admit('greet', greet);
  const written = count(greet);
  const early = encodeAll(old);
  const next = createStateRegistry();
  next.receive(early, { isEarly: true });
  const here = createOwnStates();
  next.admit('greet', here);
  const held = count(here);
  written.n = 7;
  next.receive(encodeAll(old, next.wanted()), isFinal);
  assert.equal(held.n, 7);
});

test('a guest that has left takes nothing along', () => {
  const old = createStateRegistry();
  const greet = createOwnStates();
  const leave = old.admit('greet', greet);
  count(greet);
  leave();
  assert.deepEqual(encodeAll(old), []);
});
