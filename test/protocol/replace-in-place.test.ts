/** Which versions of a module can take each other's place. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LiveExport, ManifestModule, ModuleHot } from '../../src/protocol/manifest.ts';
import { whyNotInPlace } from '../../src/protocol/replace-in-place.ts';

interface Version extends Partial<ModuleHot> {
  readonly exports?: readonly string[];
  readonly reexports?: readonly string[];
  readonly stars?: readonly string[];
}

function toModule({ exports = [], reexports = [], stars = [], ...hot }: Version = {}): ManifestModule {
  return {
    path: 'a.ts',
    kind: 'esm',
    hash: '',
    hasTopLevelAwait: false,
    requests: [],
    imports: [],
    localExports: exports,
    indirectExports: reexports.map((name) => ({ name, specifier: './b.ts', imported: name })),
    starExports: stars,
    ignoresThis: [],
    hazards: [],
    hot: {
      acceptsSelf: true,
      acceptedExports: null,
      acceptedDependencies: [],
      declines: false,
      live: [],
      ...hot,
    },
    usesLocation: false,
    hasComputedRequest: false,
    isComputedTarget: false,
  };
}

const live = (more: Partial<LiveExport> = {}): Version => ({
  live: [{ name: 'A', kind: 'class', base: null, privates: [], line: 1, ...more }],
});

const changes: readonly (readonly [what: string, before: Version, after: Version, reason: string | null])[] =
  [
    ['nothing', { exports: ['a'] }, { exports: ['a'] }, null],
    ['another line', live(), live({ line: 7 }), null],
    ['a new export', { exports: ['a'] }, { exports: ['a', 'b'] }, null],
    ['an export that is gone', { exports: ['a', 'b'] }, { exports: ['a'] }, 'the export b is gone'],
    ['an export that comes from elsewhere now', { exports: ['a'] }, { reexports: ['a'] }, null],
    ['a reexport that is gone', { reexports: ['a'] }, {}, 'the export a is gone'],
    ['a star that is gone', { stars: ['./b.ts'] }, {}, 'export * from ./b.ts is gone'],
    ['one that did not accept', { acceptsSelf: false }, {}, 'a.ts did not accept itself'],
    ['one that does not accept', {}, { acceptsSelf: false }, 'a.ts does not accept itself'],
    ['one that declines', {}, { declines: true }, 'a.ts does not accept itself'],
    [
      'the same accepted exports',
      { acceptsSelf: false, acceptedExports: ['a'] },
      { acceptsSelf: false, acceptedExports: ['a'] },
      null,
    ],
    [
      'other accepted exports',
      { acceptedExports: ['a'] },
      { acceptedExports: ['a', 'b'] },
      'the accepted exports are a, b, were a',
    ],
    [
      'accepted exports where there were none',
      {},
      { acceptedExports: ['a'] },
      'the accepted exports are a, were none',
    ],
    ['a class for a function', live({ kind: 'function' }), live(), 'A is a class, was a function'],
    ['a function for a class', live(), live({ kind: 'function' }), 'A is a function, was a class'],
    ['what is no longer live', live(), {}, 'A can no longer keep its identity'],
    ['what is live from now on', {}, live(), null],
    ['a base class', live(), live({ base: 'B' }), 'the class A extends B, extended nothing'],
    ['no base class', live({ base: 'B' }), live(), 'the class A extends nothing, extended B'],
    ['fewer private fields', live({ privates: ['#a', '#b'] }), live({ privates: ['#b'] }), null],
    [
      'a private field',
      live({ privates: ['#a'] }),
      live({ privates: ['#a', '#b'] }),
      'old instances of A would lack #b',
    ],
    [
      'a field for a method',
      live({ privates: ['#a()'] }),
      live({ privates: ['#a'] }),
      'old instances of A would lack #a',
    ],
    ['a private method', live({ privates: ['#a'] }), live({ privates: ['#a', '#m()'] }), null],
    ['the first private method', live(), live({ privates: ['#m()'] }), 'old instances of A would lack #m()'],
  ];

for (const [what, before, after, reason] of changes) {
  test(`${what}: ${reason ?? 'can be replaced'}`, () =>
    assert.equal(whyNotInPlace(toModule(before), toModule(after)), reason));
}

test('what has no import.meta.hot, or is of a release that knew nothing of it, is not replaced in place', () => {
  const { hot, ...earlier } = toModule();
  assert.equal(whyNotInPlace({ ...earlier, hot: null }, { ...earlier, hot }), 'a.ts did not accept itself');
  assert.equal(whyNotInPlace({ ...earlier, hot }, earlier as ManifestModule), 'a.ts does not accept itself');
});
