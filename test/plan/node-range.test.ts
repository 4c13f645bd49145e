import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isInRange } from '../../src/plan/node-range.ts';

const version = 'v24.3.1';
const inside = [
  '>=24',
  '>= 24.3',
  '24',
  '24.x',
  '^24.1.0',
  '~24.3',
  '>=22 <25',
  '18 || ^24',
  '22 - 24',
  '22 - 24.3.1',
  '*',
  '',
  '=24.3.1',
  '<=24',
  '>24.3.0',
  'v24',
  'x',
  '<25.0.0-rc.1',
  '>=24.3.1',
  '<=24.3',
  '24.3.x',
  '>23',
];
const outside = [
  '>=25',
  '<24',
  '22.x',
  '^22 || >=26',
  '~24.2',
  '24.3.0',
  '>24',
  '22 - 24.2',
  '>24.3.1',
  '<24.3.1',
  '^0.10',
  '<*',
];

test('a version is in the ranges of npm that have it, and in no other', () => {
  for (const range of inside) assert.equal(isInRange(version, range), true, range);
  for (const range of outside) assert.equal(isInRange(version, range), false, range);
});

test('a range that can not be read says nothing', () => {
  for (const range of ['lts/*', 'latest', '>=a', '24.x.y.z'])
    assert.equal(isInRange(version, range), null, range);
});
