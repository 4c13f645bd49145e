/** Plans that were shown are kept for who applies one, and do not fill the disk. */

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { keepShownPlan, requireSamePlan, SHOWN_PLANS_MAX } from '../../src/deploy/shown-plans.ts';
import { toHome } from '../../src/release/home.ts';

const toPlan = (id: string) => ({ id, current: id, path: 'swap' as const, reasons: [], parts: {} });

test('of the plans that were shown the newest stay, and nothing else of the cache goes', async (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-plans-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const home = toHome(directory);
  for (let index = 0; index < SHOWN_PLANS_MAX; index++) {
    await keepShownPlan(home, toPlan(`p${index}`));
    utimesSync(path.join(home.cache, `plan-p${index}.json`), index + 1, index + 1);
  }
  writeFileSync(path.join(home.cache, 'module.json'), '{}');
  utimesSync(path.join(home.cache, 'module.json'), 0, 0);
  await keepShownPlan(home, toPlan('last'));
  const names = readdirSync(home.cache);
  assert.equal(names.length, SHOWN_PLANS_MAX + 1);
  assert.ok(names.includes('module.json') && !names.includes('plan-p0.json'));
  const now = toPlan('now');
  await assert.rejects(requireSamePlan(home, 'p1', now), /now runs now, and p1 did/);
  await assert.rejects(requireSamePlan(home, 'p0', now), /no plan of that id was shown here/);
});

test('a plan of the same id that is another than was shown is refused', async (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-plans-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const home = toHome(directory);
  const shown = { ...toPlan('p'), parts: { 'a.ts': 'shown' } };
  // It may have been shown on another machine.
  await requireSamePlan(home, 'p', shown);
  await keepShownPlan(home, shown);
  await requireSamePlan(home, 'p', shown);
  const other = { ...shown, parts: { 'a.ts': 'found to have the same id' } };
  await assert.rejects(requireSamePlan(home, 'p', other), /the new release has other a\.ts/);
});
