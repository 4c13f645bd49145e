/** What other assets mean for the modules that read them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planFor, toManifest } from './manifest-fixture.ts';

const modules = {
  'server.ts': { imports: ['page.ts', 'time.ts'] },
  'page.ts': { usesLocation: true },
  'time.ts': {},
};
const toRelease = (hash: string): ReturnType<typeof toManifest> =>
  toManifest(modules, { assets: { 'page.html': { hash, sizeBytes: 4 } } });

test('a module that knows where it is is evaluated again for an asset that differs, and so are its importers', () => {
  const plan = planFor({ current: toRelease('one'), next: toRelease('two') });
  assert.equal(plan.path, 'swap');
  assert.deepEqual(
    plan.modules.map(({ path, change, because }) => ({ path, change, because })),
    [
      { path: 'page.ts', change: 'reached', because: ['page.html'] },
      { path: 'server.ts', change: 'reached', because: ['page.ts', 'page.html'] },
    ],
  );
});

test('a module that knows where it is is shared while the assets are the same', () => {
  const next = toManifest({ ...modules, 'time.ts': { code: 'two' } }, { assets: toRelease('one').assets });
  const plan = planFor({ current: toRelease('one'), next });
  assert.deepEqual(
    plan.modules.map(({ path }) => path),
    ['server.ts', 'time.ts'],
  );
});
