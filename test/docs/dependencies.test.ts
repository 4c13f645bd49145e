/** docs/dependencies.md gives a reason for each dependency of package.json, and for no other. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plain, readSection, readTable, readText } from './markdown.ts';

const text = readText('docs/dependencies.md');
const manifest = JSON.parse(readText('package.json')) as Record<string, Record<string, string> | undefined>;

for (const [field, heading] of [
  ['dependencies', '## At run time'],
  ['devDependencies', '## For development'],
] as const) {
  test(`every one of ${field} has a reason`, () => {
    const rows = readTable(readSection(text, heading), ['package', 'reason']);
    assert.deepEqual(
      rows.map((row) => plain(row['package'] ?? '')).toSorted(),
      Object.keys(manifest[field] ?? {}).toSorted(),
    );
    for (const row of rows) assert.notEqual(row['reason'], '', row['package']);
  });
}

test('there is no other kind of dependencies', () => {
  for (const field of ['optionalDependencies', 'peerDependencies', 'bundleDependencies'])
    assert.equal(manifest[field], undefined);
});
