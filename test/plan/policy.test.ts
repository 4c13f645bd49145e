/** What the policy of a release makes of what the rules found. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Hazard, Manifest, ReleaseSettings } from '../../src/protocol/manifest.ts';
import { parseConfig } from '../../src/release/config.ts';
import { codesOf, planFor, toManifest } from './manifest-fixture.ts';

type PolicyInput = Partial<ReleaseSettings['policy']>;

const modules = { 'server.ts': { imports: ['time.ts'] } };

/** Two releases in which `time.ts` differs and has this hazard in both. */
function releases(kind: Hazard['kind'], policy: PolicyInput): { current: Manifest; next: Manifest } {
  const hazards = [{ kind, line: 7, detail: 'x' }];
  const plain = toManifest({});
  const settings = { ...plain.settings, policy: { ...plain.settings.policy, ...policy } };
  const at = (code: string): Manifest =>
    toManifest({ ...modules, 'time.ts': { code, hazards } }, { settings });
  return { current: at('one'), next: at('two') };
}

const misfit = { misfits: [{ path: 'time.ts', name: 'now', message: 'no' }], unchecked: null };

const cases: readonly (readonly [policy: PolicyInput, kind: Hazard['kind'], path: string])[] = [
  [{}, 'module-state', 'swap'],
  [{ stateLoss: 'handoff' }, 'module-state', 'handoff'],
  [{ stateLoss: 'reject' }, 'module-state', 'rejected'],
  [{ strict: true }, 'module-state', 'rejected'],
  [{ strict: true, stateLoss: 'handoff' }, 'module-state', 'handoff'],
  [{ strict: true, allow: ['MF5001'] }, 'module-state', 'swap'],
  [{ stateLoss: 'handoff', allow: ['MF5001'] }, 'module-state', 'swap'],
  [{ stateLoss: 'reject' }, 'timer', 'swap'],
  [{ strict: true }, 'timer', 'rejected'],
  [{ strict: true }, 'side-effect', 'rejected'],
  [{ strict: true, allow: ['MF5003'] }, 'side-effect', 'swap'],
];

for (const [policy, kind, path] of cases) {
  test(`a ${kind} under ${JSON.stringify(policy)} is ${path}`, () => {
    const plan = planFor(releases(kind, policy));
    assert.equal(plan.path, path);
    // What was a warning decides now, or still warns; never both.
    const [reasons, warnings] = [codesOf(plan), plan.warnings.map(({ code }) => code)];
    assert.equal([...reasons, ...warnings].filter((code) => code.startsWith('MF5')).length, 1);
    assert.equal(
      reasons.some((code) => code.startsWith('MF5')),
      path !== 'swap',
    );
  });
}

test('a rejection by policy says which key rejects, and how it is allowed', () => {
  const { reasons } = planFor(releases('module-state', { stateLoss: 'reject' }));
  assert.match(reasons.at(-1)?.message ?? '', /"stateLoss": "reject" rejects that$/);
  assert.match(reasons.at(-1)?.fix ?? '', /"allow": \["MF5001"\] in "policy"$/);
});

test('a handoff that is asked for is not held up by what is about swaps', () => {
  for (const policy of [{ strict: true }, { stateLoss: 'reject' }] as const) {
    const fixture = { ...releases('module-state', policy), types: misfit };
    assert.equal(planFor({ ...fixture, policy: { path: 'handoff' } }).path, 'handoff');
  }
});

test('types that importers can not take are a handoff where that is allowed', () => {
  const plan = planFor({ ...releases('timer', { allow: ['MF3002'] }), types: misfit });
  assert.deepEqual([plan.path, codesOf(plan)], ['handoff', ['MF1001', 'MF3002']]);
});

test('a type check, and engines, that are allowed to fail are warnings', () => {
  const { current, next } = releases('timer', { allow: ['MF3003', 'MF3004'] });
  const problem = { code: 'ERR_MIDFLIGHT_TYPES_WRONG', message: 'TS1', stack: '' };
  const plan = planFor({ current, next: { ...next, nodeRange: '>=99' }, problems: [problem] });
  assert.equal(plan.path, 'swap');
  assert.deepEqual(
    plan.warnings.map(({ code }) => code),
    ['MF5002', 'MF3003', 'MF3004'],
  );
});

test('going back is not held up by a policy, nor by types', () => {
  const { current, next } = releases('module-state', { strict: true, stateLoss: 'reject' });
  const old = { ...next, nodeRange: '>=99' };
  const policy = { isGoingBack: true };
  assert.equal(planFor({ current, next: old, policy }).path, 'swap');
  assert.equal(planFor({ current, next: old, policy, types: misfit }).path, 'handoff');
});

test('codes that reject nothing, that can not be allowed or that are none are errors of the configuration', () => {
  for (const code of ['MF3001', 'MF1001', 'MF9999']) {
    assert.throws(() => parseConfig({ policy: { allow: [code] } }, 'config'), {
      code: 'ERR_MIDFLIGHT_CONFIG_INVALID',
      message: new RegExp(`policy\\.allow\\.0: expected a code .* it is "${code}"`),
    });
  }
});
