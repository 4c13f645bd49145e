/** A plan as text, as wide as the terminal, and as Markdown: of many modules some are shown. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toMarkdown } from '../../src/cli/plan-markdown.ts';
import { toPlanText } from '../../src/cli/plan-text.ts';
import type { PlannedDeploy } from '../../src/deploy/plan-deploy.ts';
import { planFor, toManifest } from '../plan/manifest-fixture.ts';

const importers = Array.from({ length: 300 }, (_, index) => `routes/r${index}.ts`);
const app = (code: string): Parameters<typeof planFor>[0]['next'] =>
  toManifest({
    'base.ts': { code },
    ...Object.fromEntries(importers.map((path) => [path, { imports: ['base.ts'] }])),
    'server.ts': { imports: importers },
  });
const [current, next] = [app('one'), app('two')];
const types = {
  before: new Map([['find', '(key: string | number) => Promise<string>']]),
  after: new Map([['find', `(key: string, ${'option: boolean, '.repeat(8)}last: number) => string`]]),
};
const plan: PlannedDeploy = {
  id: '0123456789ab',
  current: current.id,
  commit: 'f'.repeat(40),
  ...planFor({ current, next, exportTypes: new Map([['base.ts', types]]) }),
};
const apply = 'midflight deploy --plan 0123456789ab';
const paint = (_: string, text: string): string => text;
const show = (columns: number | undefined, isAll = false): string[] =>
  toPlanText(plan, { apply, isAll, columns, paint }).split('\n');

test('no line is wider than the terminal, and none is broken where there is none', () => {
  for (const columns of [80, 120])
    assert.deepEqual(
      show(columns).filter((line) => line.length > columns),
      [],
    );
  assert.ok(show(undefined).some((line) => line.length > 120));
});

test('of many modules some are shown with how many there are besides, and all of them where that is asked for', () => {
  const lines = show(80);
  assert.ok(lines.length < 40);
  assert.ok(lines.includes('modules  1 differs, 301 reached by that'));
  assert.ok(lines.includes('  └─ … and 295 more; --all'));
  const named = show(80, true).filter((line) => /reached {2}\S+\.ts/.test(line));
  assert.equal(named.length, 301);
});

test('Markdown has a table whose cells are whole, whatever the types are', () => {
  const text = toMarkdown(plan, { apply, isAll: false });
  const row = text.split('\n').find((line) => line.startsWith('| `base.ts`')) ?? '';
  assert.match(row, /`find: \(key: string \\\| number\) => Promise<string>` → `\(key: string, /);
  assert.equal(row.split(/(?<!\\)\|/).length, 6);
  assert.match(text, /^and 202 more$/m);
  assert.ok(text.endsWith(`Apply it: \`${apply}\``));
});
