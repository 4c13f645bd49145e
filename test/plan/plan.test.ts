/** How a plan weighs its reasons: precedence, the path that was asked for, the past, steps and hazards. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toModuleVersion } from '../../src/protocol/manifest.ts';
import { deployPaths } from '../../src/plan/reason.ts';
import { codesOf, command, planFor, toManifest } from './manifest-fixture.ts';

const modules = { 'server.ts': { imports: ['time.ts'] }, 'time.ts': { code: 'one' } };
const current = toManifest(modules);
const swapped = toManifest({ ...modules, 'time.ts': { code: 'two' } });
const handedOff = toManifest(
  { ...modules, 'time.ts': { code: 'two' } },
  { workers: 2, dependenciesHash: 'other' },
);
const unswappable = new Set([...swapped.modules.values()].map(toModuleVersion));
const problem = { code: 'ERR_MIDFLIGHT_EXPORT_MISSING', message: 'no such export', stack: '' };

test('the heaviest reason decides and every other one is still told', () => {
  const plan = planFor({ current, next: handedOff });
  assert.equal(plan.path, 'handoff');
  assert.deepEqual(codesOf(plan), ['MF1001', 'MF2001', 'MF2002']);
});

test('a release that can not be linked is rejected for that alone, with a reason for each import', () => {
  for (const policy of [{ path: 'handoff' }, { path: 'restart' }, { unswappable }] as const) {
    const plan = planFor({ current, next: handedOff, problems: [problem, problem], policy });
    assert.deepEqual([plan.path, codesOf(plan)], ['rejected', ['MF3001', 'MF3001']]);
  }
});

test('a release that can not be linked is rejected where nothing runs, too', () => {
  assert.equal(planFor({ next: swapped, problems: [problem] }).path, 'rejected');
});

test('where nothing runs no module is compared, whatever is asked for', () => {
  for (const path of ['auto', 'swap', 'restart'] as const) {
    const plan = planFor({ next: swapped, policy: { path } });
    assert.deepEqual([plan.path, codesOf(plan), plan.modules], ['handoff', ['MF2000'], []]);
  }
});

test('a handoff or restart that was asked for is added to what the rules found', () => {
  assert.deepEqual(codesOf(planFor({ current, next: swapped, policy: { path: 'handoff' } })), [
    'MF1001',
    'MF2010',
  ]);
  const restart = planFor({ current, next: handedOff, policy: { path: 'restart' } });
  assert.equal(restart.path, 'restart');
});

test('a swap that was asked for is taken where it is possible', () => {
  const plan = planFor({ current, next: swapped, policy: { path: 'swap' } });
  assert.deepEqual([plan.path, codesOf(plan)], ['swap', ['MF1001']]);
});

test('a swap that was asked for where nothing differs is nothing to do', () => {
  assert.equal(planFor({ current, next: current, policy: { path: 'swap' } }).path, 'none');
});

test('a swap that was asked for is rejected when its module could not be evaluated before, with the reason', () => {
  const plan = planFor({ current, next: swapped, policy: { path: 'swap', unswappable } });
  assert.deepEqual([plan.path, codesOf(plan)], ['rejected', ['MF1001', 'MF2005', 'MF3010']]);
  assert.match(plan.reasons.at(-1)?.message ?? '', /could in a fresh one/);
});

test('a swap that failed before is no reason where nothing differs, nor beside another reason for a handoff', () => {
  const policy = { unswappable };
  assert.deepEqual(codesOf(planFor({ current, next: current, policy })), ['MF0001']);
  assert.equal(codesOf(planFor({ current, next: handedOff, policy })).includes('MF2005'), false);
});

test('going over to a program that is not Node, and back, is a handoff', () => {
  const program = toManifest({}, command);
  assert.equal(planFor({ current, next: program }).path, 'handoff');
  assert.equal(planFor({ current: program, next: current }).path, 'handoff');
});

test('hazards are listed for a swap, for the modules that it evaluates again only', () => {
  const timer = { kind: 'timer', line: 3, detail: 'setInterval' } as const;
  const quiet = { 'log.ts': { hazards: [timer] } };
  const before = toManifest({ ...modules, ...quiet });
  const next = toManifest({
    'server.ts': { ...modules['server.ts'], hazards: [timer] },
    'time.ts': {},
    ...quiet,
  });
  assert.deepEqual(planFor({ current: before, next }).hazards, [{ path: 'server.ts', ...timer }]);
  assert.deepEqual(planFor({ current: before, next, policy: { path: 'handoff' } }).hazards, []);
});

test('every path has its steps and every step its undo', () => {
  const plans = [
    planFor({ current, next: current }),
    planFor({ current, next: swapped }),
    planFor({ current, next: handedOff }),
    planFor({ current, next: swapped, policy: { path: 'restart' } }),
    planFor({ current, next: swapped, problems: [problem] }),
  ];
  assert.deepEqual(
    plans.map(({ path }) => path),
    deployPaths,
  );
  for (const { path, steps } of plans) {
    assert.equal(steps.length > 0, path !== 'none' && path !== 'rejected', path);
    for (const { name, undo } of steps) assert.ok(name !== '' && undo !== '');
  }
});

test('a plan is data: it survives JSON, and leaves its input as it was', () => {
  const input = JSON.stringify([current, handedOff]);
  const plan = planFor({ current, next: handedOff });
  assert.deepEqual(JSON.parse(JSON.stringify(plan)), plan);
  assert.equal(JSON.stringify([current, handedOff]), input);
});
