/** What is left of classes when nobody may see their private members. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hidePrivates } from '../../src/release/hide-privates.ts';

function hide(members: string): string {
  const text = hidePrivates('a.ts', `class A { ${members} }`);
  return text.replaceAll(/\s+/g, ' ').trim();
}

test('private members are gone, and protected ones are public', () => {
  assert.equal(hide('#a = 1; private b = 2; protected c = 3; d = 4;'), 'class A { c = 3; d = 4; }');
});

test('a private parameter of a constructor is a parameter and no member', () => {
  const text = 'constructor(private readonly a: A, private b?: B, protected readonly c = 1, d = 2) {}';
  assert.equal(hide(text), 'class A { constructor(a: A, b?: B, readonly c = 1, d = 2) {} }');
});
