/** Which version a new one is held to, and what the shape of exports alone tells. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  compareVersions,
  findPredecessor,
  nextBreaking,
  type Side,
} from '../../../src/plugin/registry/compatibility.ts';
import type { PluginExports } from '../../../src/plugin/registry/plugin-manifest.ts';

test('a version is held to the newest before it that the same range has', () => {
  const published = ['0.1.0', '0.2.3', '0.2.4', '0.3.0', '1.0.0', '1.4.0', '1.5.0-beta.1', '2.0.0'];
  const cases: readonly (readonly [string, string | null])[] = [
    ['0.2.5', '0.2.4'],
    ['0.4.0', null],
    ['1.4.1', '1.4.0'],
    ['1.2.0', '1.0.0'],
    ['2.1.0', '2.0.0'],
    ['2.1.0-beta.1', null],
    ['3.0.0', null],
  ];
  for (const [version, before] of cases) assert.equal(findPredecessor(published, version), before, version);
});

test('the next version that may break is a major one, below 1.0.0 a minor one', () => {
  assert.deepEqual(['1.4.2', '0.3.1', '0.0.4'].map(nextBreaking), ['2.0.0', '0.4.0', '0.0.5']);
});

test('of JavaScript the shape of exports is compared: what is gone, what it is, how many arguments it needs', async () => {
  const side = (exports: PluginExports): Side => ({
    manifest: {
      entry: 'a.js',
      exports,
      contents: { files: {}, compiled: {}, installedHash: null, ownDependenciesHash: null },
    },
    root: '/nowhere',
  });
  const before = side({
    gone: { kind: 'function', arity: 1 },
    less: { kind: 'function', arity: 2 },
    limit: { kind: 'number' },
    more: { kind: 'function', arity: 1 },
  });
  const after = side({
    added: { kind: 'function', arity: 9 },
    less: { kind: 'function', arity: 1 },
    limit: { kind: 'string' },
    more: { kind: 'function', arity: 2 },
  });
  const { breaches, by } = await compareVersions(before, after, '/nowhere');
  assert.equal(by, 'shape');
  assert.deepEqual(breaches, [
    { name: 'gone', problem: 'is gone' },
    { name: 'limit', problem: 'was number, and is string' },
    { name: 'more', problem: 'needs 2 arguments, and needed 1' },
  ]);
});
