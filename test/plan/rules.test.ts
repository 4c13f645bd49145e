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
import { readTable, readText } from '../docs/markdown.ts';
import { codesOf, command, planFor, toManifest, type PlanFixture } from './manifest-fixture.ts';

interface RuleCase extends PlanFixture {
  readonly name: string;
  readonly codes: readonly string[];
  readonly warns?: readonly string[];
  readonly path: string;
  readonly says?: RegExp;
}

const modules = { 'server.ts': { imports: ['time.ts'] }, 'time.ts': { code: 'one', exports: ['now'] } };
const app = toManifest(modules);
const withChange = (overrides: Partial<Manifest>): Manifest => toManifest(modules, overrides);
const appWithTwo = toManifest({ ...modules, 'time.ts': { code: 'two' } });
const withHazard = (kind: Hazard['kind']): Manifest =>
  toManifest({ ...modules, 'time.ts': { code: 'two', hazards: [{ kind, line: 7, detail: 'x' }] } });
const withState = (name: string | null, version: number): Manifest =>
  toManifest({ ...modules, 'time.ts': { states: [{ name, version, line: 3 }] } });
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
    says: /lockfile or the dependencies of package\.json differ$/,
  },
  {
    name: 'another version of a package',
    current: withChange({ packages: { express: '4.21.2', ws: '8.1.0' } }),
    next: withChange({ dependenciesHash: 'other', packages: { express: '5.1.0', pino: '9.0.0' } }),
    codes: ['MF2001'],
    path: 'handoff',
    says: /differ: express 4\.21\.2 → 5\.1\.0 \(major\), pino 9\.0\.0 added, ws 8\.1\.0 removed$/,
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
    name: 'the same settings in another order',
    current: app,
    next: withChange({ settings: Object.fromEntries(Object.entries(app.settings).toReversed()) as never }),
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
    name: 'a module in place whose importers can not take a new type',
    current: app,
    next: appWithTwo,
    types: { misfits: [{ path: 'time.ts', name: 'now', message: "Type 'A' is no 'B'." }], unchecked: null },
    codes: ['MF1001', 'MF3002'],
    path: 'rejected',
    says: /time\.ts is replaced in place, and what imports it can't take the new "now": Type 'A' is no 'B'\./,
  },
  {
    name: 'a type check of the project that fails',
    current: app,
    next: appWithTwo,
    problems: [{ ...problem, code: 'ERR_MIDFLIGHT_TYPES_WRONG', message: 'TS2322: wrong' }],
    codes: ['MF1001', 'MF3003'],
    path: 'rejected',
    says: /^TS2322: wrong$/,
  },
  {
    name: 'a type check that fails where nothing runs',
    next: app,
    problems: [{ ...problem, code: 'ERR_MIDFLIGHT_TYPES_WRONG' }],
    codes: ['MF2000', 'MF3003'],
    path: 'rejected',
  },
  {
    name: 'a release for another Node',
    current: app,
    next: withChange({ nodeRange: '>=26' }),
    codes: ['MF0001', 'MF3004'],
    path: 'rejected',
    says: /asks for Node >=26 \("engines"\), and this is v24\.0\.0/,
  },
  {
    name: 'a release for this Node',
    current: app,
    next: withChange({ nodeRange: '^22.12 || >=24' }),
    codes: ['MF0001'],
    path: 'none',
  },
  {
    name: 'variables of a module that changed',
    current: withHazard('module-state'),
    next: app,
    codes: ['MF1001'],
    warns: ['MF5001'],
    path: 'swap',
    says: /^module-level state starts anew: x \(time\.ts:7\)$/,
  },
  {
    name: 'an interval at the top of a module that changed',
    current: app,
    next: withHazard('timer'),
    codes: ['MF1001'],
    warns: ['MF5002'],
    path: 'swap',
    says: /made again: x \(time\.ts:7\)$/,
  },
  {
    name: 'a directory that a module makes while it is evaluated',
    current: app,
    next: withHazard('side-effect'),
    codes: ['MF1001'],
    warns: ['MF5003'],
    path: 'swap',
    says: /done again: x \(time\.ts:7\)$/,
  },
  {
    name: 'a state that nobody declares any more',
    current: withState('visits', 1),
    next: withState('views', 1),
    codes: ['MF1001'],
    warns: ['MF5004'],
    path: 'swap',
    says: /declares the state "visits" \(time\.ts:3\) any more/,
  },
  {
    name: 'a state that nobody declares any more, beside a reason for new processes',
    current: withState('visits', 1),
    next: { ...withState('views', 1), workers: 2 },
    codes: ['MF1001', 'MF2002'],
    warns: ['MF5004'],
    path: 'handoff',
  },
  {
    name: 'a state that may be declared under a computed name',
    current: withState('visits', 1),
    next: withState(null, 1),
    codes: ['MF1001'],
    path: 'swap',
  },
  {
    name: 'a state whose version goes down',
    current: withState('visits', 3),
    next: withState('visits', 1),
    codes: ['MF1001'],
    warns: ['MF5005'],
    path: 'swap',
    says: /"visits" from 3 to 1 \(time\.ts:3\)/,
  },
  {
    name: 'an address that a program listens on no longer',
    current: toManifest({}, { ...command, listen: ['127.0.0.1:8080', 'admin=127.0.0.1:8081'] }),
    next: toManifest({}, { ...command, listen: ['web=127.0.0.1:8080'] }),
    codes: ['MF2006'],
    warns: ['MF5006'],
    path: 'handoff',
    says: /served no longer: 127\.0\.0\.1:8081$/,
  },
  {
    name: 'a start script with another port',
    current: withChange({ environment: { PORT: '8080' } }),
    next: withChange({ environment: { PORT: '8081' } }),
    codes: ['MF2002'],
    warns: ['MF5006'],
    path: 'handoff',
    says: /PORT=8080/,
  },
  {
    name: 'types that could not be compared',
    current: app,
    next: appWithTwo,
    types: { misfits: [], unchecked: { reason: 'no TypeScript', paths: ['time.ts'] } },
    codes: ['MF1001'],
    warns: ['MF5007'],
    path: 'swap',
    says: /was not checked \(time\.ts\): no TypeScript$/,
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

for (const { name, codes, warns = [], path, says, ...fixture } of cases) {
  test(`${name} is ${[...codes, ...warns].join(' and ')}, path ${path}`, () => {
    const plan = planFor(fixture);
    assert.deepEqual([codesOf(plan), plan.path], [codes, path]);
    assert.deepEqual(
      plan.warnings.map(({ code }) => code),
      warns,
    );
    const last = (warns.length > 0 ? plan.warnings : plan.reasons).at(-1);
    if (says !== undefined) assert.match(last?.message ?? '', says);
  });
}

test('each rule of a plan that the reference documents has a case here', () => {
  const documented = readTable(readText('docs/reference/plan-rules.md'), [
    'code',
    'what differs',
    'path',
    'why',
  ])
    .filter((row) => row['why']?.startsWith('No plan has this.') !== true)
    .map((row) => row['code']);
  const tried = new Set(cases.flatMap(({ codes, warns = [] }) => [...codes, ...warns]));
  assert.deepEqual(
    documented.filter((code) => code === undefined || !tried.has(code)),
    [],
  );
});

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
