/** What a plan says of each module: whether it differs, or why it is evaluated again all the same. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareModules, type ModuleChange } from '../../src/plan/module-changes.ts';
import { toManifest, type ModuleFixtures } from './manifest-fixture.ts';

const compare = (before: ModuleFixtures, after: ModuleFixtures): readonly ModuleChange[] =>
  compareModules(toManifest(before), toManifest(after));
const summary = (changes: readonly ModuleChange[]): string[] =>
  changes.map(({ path, change, because }) => [change, path, ...because].join(' '));

const chain: ModuleFixtures = {
  'server.ts': { imports: ['routes.ts', 'log.ts'] },
  'routes.ts': { imports: ['time.ts'] },
  'time.ts': { code: 'one' },
  'log.ts': {},
};

test('equal modules are no change', () => {
  assert.deepEqual(compare(chain, chain), []);
});

test('importers up to the entry are reached, each with its chain of imports, and others are left out', () => {
  const changes = compare(chain, { ...chain, 'time.ts': { code: 'two' } });
  assert.deepEqual(summary(changes), [
    'reached routes.ts time.ts',
    'reached server.ts routes.ts time.ts',
    'changed time.ts',
  ]);
});

test('a chain is the shortest of several', () => {
  const wide = { ...chain, 'server.ts': { imports: ['routes.ts', 'time.ts'] } };
  const server = compare(wide, { ...wide, 'time.ts': { code: 'two' } }).find(
    ({ path }) => path === 'server.ts',
  );
  assert.deepEqual(server?.because, ['time.ts']);
});

test('importers in a cycle are each reached once', () => {
  const cycle = {
    'a.ts': { imports: ['b.ts'] },
    'b.ts': { imports: ['a.ts', 'c.ts'] },
    'c.ts': { code: 'one' },
  };
  const changes = compare(cycle, { ...cycle, 'c.ts': { code: 'two' } });
  assert.deepEqual(summary(changes), ['reached a.ts b.ts c.ts', 'reached b.ts c.ts', 'changed c.ts']);
});

test('a module that imports what changed only by import() is reached too', () => {
  const lazy = { 'server.ts': { importsDynamically: ['late.ts'] }, 'late.ts': { code: 'one' } };
  const changes = compare(lazy, { ...lazy, 'late.ts': { code: 'two' } });
  assert.deepEqual(summary(changes), ['changed late.ts', 'reached server.ts late.ts']);
});

test('a module whose import leads elsewhere has changed, though its text is the same', () => {
  const before = { 'server.ts': { imports: ['time.ts'] }, 'time.ts': {}, 'time.js': {} };
  const changes = compare(before, { ...before, 'server.ts': { imports: ['time.js'] } });
  assert.deepEqual(summary(changes), ['changed server.ts']);
});

test('added and removed modules are told, with their exports', () => {
  const before = { 'server.ts': { imports: ['old.ts'] }, 'old.ts': { exports: ['a'] } };
  const after = { 'server.ts': { imports: ['new.ts'] }, 'new.ts': { exports: ['b'] } };
  const changes = compare(before, after);
  assert.deepEqual(summary(changes), ['added new.ts', 'removed old.ts', 'changed server.ts']);
  assert.deepEqual(
    changes.map(({ exportsAdded, exportsRemoved }) => [exportsAdded, exportsRemoved]),
    [
      [['b'], []],
      [[], ['a']],
      [[], []],
    ],
  );
});

test('exports that appeared and vanished are named, re-exports among them', () => {
  const before = { 'time.ts': { exports: ['now', 'zone'], reexports: ['format'] } };
  const after = { 'time.ts': { exports: ['now', 'today'], reexports: ['parse'] } };
  const [change] = compare(before, after);
  assert.deepEqual(change?.exportsAdded, ['today', 'parse']);
  assert.deepEqual(change?.exportsRemoved, ['zone', 'format']);
});

test('a change of hazards alone is a change, as the compiled module has another hash', () => {
  const before = { 'time.ts': { code: 'same' } };
  const after = {
    'time.ts': { code: 'same', hazards: [{ kind: 'timer', line: 1, detail: 'setInterval' } as const] },
  };
  assert.deepEqual(summary(compare(before, after)), ['changed time.ts']);
});

const accepting: ModuleFixtures = {
  'server.ts': { imports: ['routes.ts', 'log.ts'] },
  'routes.ts': { imports: ['time.ts'], hot: { acceptsSelf: true } },
  'log.ts': { imports: ['time.ts'], hot: { acceptedDependencies: ['./time.ts'] } },
  'time.ts': { code: 'one' },
};

test('what accepts itself is reached and replaced in place, and what accepts a dependency is left out', () => {
  const changes = compare(accepting, { ...accepting, 'time.ts': { code: 'two' } });
  assert.deepEqual(summary(changes), ['reached routes.ts time.ts', 'changed time.ts']);
  assert.deepEqual(
    changes.map(({ isInPlace }) => isInPlace),
    [true, true],
  );
});

test('a module that accepts itself counts by what it said before, and has to say it again', () => {
  const silent = { ...accepting, 'routes.ts': { imports: ['time.ts'], code: 'two' } };
  assert.deepEqual(summary(compare(accepting, silent)), ['changed routes.ts', 'reached server.ts routes.ts']);
  assert.deepEqual(summary(compare(silent, accepting)), ['changed routes.ts', 'reached server.ts routes.ts']);
});
