/** docs/reference/errors.md has every code of the catalog, no other, and the exit codes that hold. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalog } from '../../src/errors.ts';
import { plain, readTable, readText } from './markdown.ts';

const rows = readTable(readText('docs/reference/errors.md'), ['code', 'exit code']);

test('the reference of errors has each code of the catalog once, with its exit code', () => {
  const documented = rows.map((row) => [plain(row['code'] ?? ''), Number(row['exit code'])] as const);
  const expected = Object.entries(catalog).map(([code, { exitCode }]) => [code, exitCode] as const);
  assert.deepEqual(documented.toSorted(byCode), expected.toSorted(byCode));
});

test('the reference of errors says of each code what it means and what to do', () => {
  for (const row of rows) {
    assert.notEqual(row['meaning'], '', row['code']);
    assert.notEqual(row['what to do'], '', row['code']);
  }
});

test('the reference of errors explains each exit code that an error has', () => {
  const explained = readTable(readText('docs/reference/errors.md'), ['exit code', 'means']);
  const used = new Set(Object.values(catalog).map(({ exitCode }) => String(exitCode)));
  assert.deepEqual(
    explained.map((row) => row['exit code']),
    ['0', ...[...used].toSorted()],
  );
});

function byCode([left]: readonly [string, number], [right]: readonly [string, number]): number {
  return left < right ? -1 : 1;
}
