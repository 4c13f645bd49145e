import assert from 'node:assert/strict';
import { test } from 'node:test';
import { binomialTail, hypergeometricTail } from '../../src/deploy/tail-probability.ts';

function assertClose(found: number, wanted: number): void {
  assert.ok(Math.abs(found - wanted) <= wanted * 1e-8, `${found}, not ${wanted}`);
}

test('the tail of a binomial distribution is that of counting by hand', () => {
  assertClose(binomialTail({ count: 3, chance: 0.5, atLeast: 2 }), 0.5);
  assertClose(binomialTail({ count: 4, chance: 1 / 13, atLeast: 4 }), 13 ** -4);
  assertClose(binomialTail({ count: 100, chance: 0.5, atLeast: 51 }), 0.460_205_381_306_41);
  assertClose(binomialTail({ count: 5, chance: 0.2, atLeast: 0 }), 1);
});

test('the tail of a hypergeometric distribution is that of the lady who tastes tea', () => {
  assertClose(hypergeometricTail({ drawn: 4, marked: 4, total: 8, atLeast: 4 }), 1 / 70);
  assertClose(hypergeometricTail({ drawn: 4, marked: 4, total: 8, atLeast: 3 }), 17 / 70);
});

test('the tail is the same for large counts whichever of both sides is called marked', () => {
  const one = hypergeometricTail({ drawn: 40_000, marked: 300, total: 1_000_000, atLeast: 30 });
  const other = hypergeometricTail({ drawn: 300, marked: 40_000, total: 1_000_000, atLeast: 30 });
  assertClose(one, other);
  assert.ok(one > 1e-6 && one < 1e-4, String(one));
});
