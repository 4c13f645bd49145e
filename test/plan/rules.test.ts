/** Each rule of a plan on its own: what differs, the code, the path, and what the person reads. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ErrorReport } from '../../src/protocol/messages.ts';
import {
  toModuleVersion,
  type Hazard,
  type Manifest,
  type ManifestModule,
} from '../../src/protocol/manifest.ts';
import { codesOf, command, planFor, toManifest, type PlanFixture } from './manifest-fixture.ts';

interface RuleCase extends PlanFixture {
  readonly name: string;
  readonly codes: readonly string[];
  readonly path: string;
  readonly says?: RegExp;
}

const modules = { 'server.ts': { imports: ['time.ts'] }, 'time.ts': { code: 'one', exports: ['now'] } };
const app = toManifest(modules);
const withChange = (overrides: Partial<Manifest>): Manifest => toManifest(modules, overrides);
const appWithTwo = toManifest({ ...modules, 'time.ts': { code: 'two' } });
const withHazard = (kind: Hazard['kind']): Manifest =>
  toManifest({ ...modules, 'time.ts': { code: 'two', hazards: [{ kind, line: 7, detail: 'x' }] } });
const asset = (hash: string): Manifest['assets'] => ({ 'page.html': { hash, sizeBytes: 4 } });
const problem: ErrorReport = { code: 'ERR_MIDFLIGHT_EXPORT_MISSING', message: 'no "later"', stack: '' };
const aside = { id: 'another', createdAt: '2026-02-02T00:00:00.000Z', commit: 'abc', isDirty: true };

const cases: readonly RuleCase[] = [
  {
    name: 'a module that accepts itself lost an export',
    current: toManifest({ ...modules, 'time.ts': { exports: ['now', 'zone'], hot: { acceptsSelf: true } } }),
    next: toManifest({ ...modules, 'time.ts': { exports: ['now'], hot: { acceptsSelf: true } } }),
    codes: ['MF1001', 'MF1004'],
    path: 'swap',
    says: /time\.ts is not replaced in place, so what imports it is evaluated again: the export zone is gone/,
  },
  {
    name: 'a module that declines imports what changed',
    current: toManifest({ ...modules, 'server.ts': { imports: ['time.ts'], hot: { declines: true } } }),
    next: toManifest({
      ...modules,
      'server.ts': { imports: ['time.ts'], hot: { declines: true } },
      'time.ts': { code: 'two' },
    }),
    codes: ['MF1001', 'MF2004'],
    path: 'handoff',
    says: /server\.ts would be evaluated again and declines that/,
  },
  { name: 'nothing differs', current: app, next: app, codes: ['MF0001'], path: 'none' },
  {
    name: 'another commit of the same',
    current: app,
    next: withChange(aside),
    codes: ['MF0001'],
    path: 'none',
  },
  {
    name: 'a changed module',
    current: app,
    next: toManifest({ ...modules, 'time.ts': { code: 'two', exports: ['now'] } }),
    codes: ['MF1001'],
    path: 'swap',
    says: /app modules differ: time\.ts \(changed\)$/,
  },
  {
    name: 'an added module',
    current: app,
    next: toManifest({ ...modules, 'zone.ts': {} }),
    codes: ['MF1001'],
    path: 'swap',
    says: /zone\.ts \(added\)/,
  },
  {
    name: 'a removed module',
    current: toManifest({ ...modules, 'zone.ts': {} }),
    next: app,
    codes: ['MF1001'],
    path: 'swap',
    says: /zone\.ts \(removed\)/,
  },
  {
    name: 'more modules than a person reads in one line',
    current: toManifest({}),
    next: toManifest(
      Object.fromEntries(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => [`${name}.ts`, {}])),
    ),
    codes: ['MF1001'],
    path: 'swap',
    says: /a\.ts \(added\), b\.ts .* e\.ts \(added\) and 2 more$/,
  },
  {
    name: 'another entry',
    current: app,
    next: withChange({ entry: 'time.ts' }),
    codes: ['MF1001'],
    path: 'swap',
    says: /the entry is time\.ts, was server\.ts/,
  },
  {
    name: 'a changed asset',
    current: withChange({ assets: asset('one') }),
    next: withChange({ assets: asset('two') }),
    codes: ['MF1002'],
    path: 'swap',
    says: /no module imports differ: page\.html/,
  },
  {
    name: 'an asset that is gone',
    current: withChange({ assets: asset('one') }),
    next: app,
    codes: ['MF1002'],
    path: 'swap',
  },
  { name: 'no release that runs', next: app, codes: ['MF2000'], path: 'handoff', says: /nothing runs yet/ },
  {
    name: 'another set of dependencies',
    current: app,
    next: withChange({ dependenciesHash: 'other' }),
    codes: ['MF2001'],
    path: 'handoff',
    says: /lockfile or the dependencies/,
  },
  {
    name: 'another Node',
    current: app,
    next: withChange({ nodeVersion: 'v26.0.0' }),
    codes: ['MF2002'],
    path: 'handoff',
    says: /Node is v26\.0\.0, was v24\.0\.0/,
  },
  {
    name: 'other Node options',
    current: app,
    next: withChange({ nodeOptions: ['--no-warnings'] }),
    codes: ['MF2002'],
    path: 'handoff',
    says: /nodeOptions differ/,
  },
  {
    name: 'another environment file',
    current: app,
    next: withChange({ environmentHash: 'other' }),
    codes: ['MF2002'],
    path: 'handoff',
    says: /environment file differs/,
  },
  {
    name: 'another count of workers',
    current: app,
    next: withChange({ workers: 3 }),
    codes: ['MF2002'],
    path: 'handoff',
    says: /workers is 3, was 1/,
  },
  {
    name: 'a changed module that starts worker threads',
    current: app,
    next: withHazard('worker-entry'),
    codes: ['MF1001', 'MF2003'],
    path: 'handoff',
    says: /time\.ts:7 would be evaluated again and starts worker threads or child processes/,
  },
  {
    name: 'a changed module that uses node:cluster',
    current: app,
    next: withHazard('cluster'),
    codes: ['MF1001', 'MF2003'],
    path: 'handoff',
    says: /uses node:cluster/,
  },
  {
    name: 'a changed module that loads a native addon',
    current: app,
    next: withHazard('native-addon'),
    codes: ['MF1001', 'MF2003'],
    path: 'handoff',
    says: /loads a native addon/,
  },
  {
    name: 'a module would be evaluated again that only a fresh process could the last time',
    current: app,
    next: toManifest({ ...modules, 'time.ts': { code: 'two' } }),
    policy: { unswappable: new Set([toModuleVersion(appWithTwo.modules.get('time.ts') as ManifestModule)]) },
    codes: ['MF1001', 'MF2005'],
    path: 'handoff',
    says: /time\.ts could not be evaluated in a running process before/,
  },
  {
    name: 'another build of a program that is not Node',
    current: toManifest({}, command),
    next: toManifest({}, { ...command, assets: { 'time-service': { hash: 'two', sizeBytes: 1 } } }),
    codes: ['MF2006'],
    path: 'handoff',
    says: /not a Node program/,
  },
  {
    name: 'the same build of a program that is not Node',
    current: toManifest({}, command),
    next: toManifest({}, command),
    codes: ['MF0001'],
    path: 'none',
  },
  {
    name: 'settings differ',
    current: app,
    next: withChange({ settings: { ...app.settings, probationMs: 1, keep: 3 } }),
    codes: ['MF1003'],
    path: 'swap',
    says: /settings differ: probationMs, keep/,
  },
  {
    name: 'settings of a program that is not Node differ',
    current: toManifest({}, command),
    next: toManifest({}, { ...command, settings: { ...app.settings, probationMs: 1 } }),
    codes: ['MF2006'],
    path: 'handoff',
    says: /not a Node program/,
  },
  {
    name: 'a handoff that is asked for though nothing differs',
    current: app,
    next: app,
    policy: { path: 'handoff' },
    codes: ['MF2010'],
    path: 'handoff',
    says: /asked for with --path handoff/,
  },
  {
    name: 'a restart that is asked for',
    current: app,
    next: app,
    policy: { path: 'restart' },
    codes: ['MF2010'],
    path: 'restart',
    says: /asked for with --path restart/,
  },
  {
    name: 'an import that can not be linked',
    current: app,
    next: app,
    problems: [problem],
    codes: ['MF3001'],
    path: 'rejected',
    says: /^no "later"$/,
  },
  {
    name: 'a swap that is asked for and not possible',
    current: app,
    next: withChange({ workers: 2 }),
    policy: { path: 'swap' },
    codes: ['MF2002', 'MF3010'],
    path: 'rejected',
    says: /not possible: workers is 2, was 1/,
  },
];

for (const { name, codes, path, says, ...fixture } of cases) {
  test(`${name} is ${codes.join(' and ')}, path ${path}`, () => {
    const plan = planFor(fixture);
    assert.deepEqual([codesOf(plan), plan.path], [codes, path]);
    if (says !== undefined) assert.match(plan.reasons.at(-1)?.message ?? '', says);
  });
}

test('a hazard that only warns does not change the path', () => {
  for (const kind of ['module-state', 'timer', 'process-listener'] as const) {
    assert.deepEqual(codesOf(planFor({ current: app, next: withHazard(kind) })), ['MF1001']);
  }
});

test('a module that starts worker threads and is not evaluated again does not hinder a swap', () => {
  const pool = { 'pool.ts': { hazards: [{ kind: 'worker-entry', line: 1, detail: 'x' } as const] } };
  const current = toManifest({ ...modules, ...pool });
  const next = toManifest({ ...modules, ...pool, 'time.ts': { code: 'two' } });
  assert.equal(planFor({ current, next }).path, 'swap');
});
