/** docs/reference/plan-rules.md has every rule of a plan, no other, with its path, its steps and its hazards. */

import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { test } from 'node:test';
import { command, planFor, toManifest } from '../plan/manifest-fixture.ts';
import { plain, readSection, readTable, readText, repository } from './markdown.ts';

const text = readText('docs/reference/plan-rules.md');
const sources = globSync('src/**/*.ts', { cwd: repository }).map((name) => readText(name));

test('the reference of plan rules has each code that the code gives, in order, with its path', () => {
  const documented = readTable(text, ['code', 'what differs', 'path']).map(
    (row) => `${row['code']} ${row['path']}`,
  );
  const given = sources.flatMap((source) =>
    [...source.matchAll(/code: '(MF[0-35]\d{3})',\s*path: (?:'(\w+)'|asked)/g)].map(
      ([, code, path = 'as asked']) => `${code} ${path}`,
    ),
  );
  assert.deepEqual(documented, [...new Set(given)].toSorted());
});

test('no code of a rule is given in a way that the reference would not notice', () => {
  const mentioned = new Set(
    sources.flatMap((source) => source.match(/'MF[0-35]\d{3}'/g) ?? []).map((code) => code.slice(1, -1)),
  );
  const documented = readTable(text, ['code', 'what differs', 'path']).map((row) => row['code']);
  assert.deepEqual(documented, [...mentioned].toSorted());
});

test('the reference has each code by which releases are compared in probation', () => {
  const given = readText('src/deploy/compare-samples.ts').match(/'MF4\d{3}'/g) ?? [];
  const documented = readTable(readSection(text, '## Probation'), ['code', 'compared']);
  assert.deepEqual(
    documented.map((row) => `'${row['code']}'`),
    [...new Set(given)].toSorted(),
  );
});

test('the reference of plan rules has the steps of each path with their undo', () => {
  const current = toManifest({ 'server.ts': { code: 'one' } });
  const next = toManifest({ 'server.ts': { code: 'two' } });
  const expected = (['swap', 'handoff', 'restart'] as const).flatMap((path) =>
    planFor({ current, next, policy: { path } }).steps.map(({ name, undo }) => ({ path, step: name, undo })),
  );
  assert.deepEqual(readTable(readSection(text, '## Undo'), ['path', 'step', 'undo']), expected);
});

test('the reference of plan rules has each kind of hazard', () => {
  const manifest = readText('src/protocol/manifest.ts');
  const kinds = /readonly kind:[\s|]*('module-state'[^;]*);/.exec(manifest)?.[1]?.match(/[\w-]+/g) ?? [];
  const documented = readTable(text, ['kind', 'means']).flatMap((row) =>
    plain(row['kind'] ?? '').split(', '),
  );
  assert.deepEqual(documented.toSorted(), kinds.toSorted());
});

test('every setting is compared, and named in the reference', () => {
  const program = toManifest({}, command);
  for (const manifest of [toManifest({ 'server.ts': {} }), program]) {
    for (const name of Object.keys(manifest.settings)) {
      assert.ok(text.includes(`\`${name}\``), name);
      const other = name === 'policy' ? { ...manifest.settings.policy, maxRetained: 9 } : 'other';
      const settings = { ...manifest.settings, [name]: other } as typeof manifest.settings;
      const { path } = planFor({ current: manifest, next: { ...manifest, settings } });
      assert.equal(path, manifest === program ? 'handoff' : 'swap', name);
    }
  }
});
