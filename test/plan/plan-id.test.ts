/** The id of a plan that was shown, and what is said where another one came of it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Manifest } from '../../src/protocol/manifest.ts';
import { describeMoved, toShownPlan, type ShownPlan } from '../../src/plan/plan-id.ts';
import { planFor, toManifest } from './manifest-fixture.ts';

const current = toManifest({ 'server.ts': { imports: ['time.ts'] }, 'time.ts': { code: 'one' } });
const next = toManifest({ 'server.ts': { imports: ['time.ts'] }, 'time.ts': { code: 'two' } });
const show = (before: Manifest, after: Manifest): ShownPlan =>
  toShownPlan(before, after, planFor({ current: before, next: after }));
const shown = show(current, next);

test('another build of the same over the same has the same id', () => {
  const again = {
    ...next,
    id: 'another',
    createdAt: '2027-01-01T00:00:00.000Z',
    commit: 'abc',
    isDirty: true,
  };
  assert.match(shown.id, /^[0-9a-f]{32}$/);
  assert.equal(show(current, again).id, shown.id);
});

test('what moved is named: the release that runs, files, settings, path and reasons', () => {
  const moved = (now: ShownPlan): string => {
    assert.notEqual(now.id, shown.id);
    return describeMoved(shown, now);
  };
  assert.equal(moved(show({ ...current, id: 'other' }, next)), `other runs now, and ${current.id} did`);
  const edited = toManifest({ 'server.ts': { imports: ['time.ts'] }, 'time.ts': { code: 'three' } });
  assert.equal(moved(show(current, edited)), 'the new release has other time.ts');
  const settings = { ...next.settings, keep: 3 };
  assert.match(
    moved(show(current, { ...next, settings })),
    /^the new release has other "keep"; the reasons are: MF1001 .*MF1003/,
  );
  assert.match(
    moved(show(current, { ...next, workers: 2 })),
    /other workers; the path is handoff, and was swap; the reasons are/,
  );
});
