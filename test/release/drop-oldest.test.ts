import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { dropOldest } from '../../src/release/drop-oldest.ts';

test('the oldest go, by their time and not by their name, folders too, and only what has that prefix', async (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-oldest-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(path.join(directory, 'a-3/inner'), { recursive: true });
  for (const name of ['a-1', 'a-2', 'a-4', 'b']) writeFileSync(path.join(directory, name), '');
  for (const [name, seconds] of Object.entries({ b: 0, 'a-4': 1, 'a-3': 2, 'a-1': 3, 'a-2': 4 }))
    utimesSync(path.join(directory, name), seconds, seconds);
  await dropOldest(directory, 'a-', 2);
  assert.deepEqual(readdirSync(directory).toSorted(), ['a-1', 'a-2', 'b']);
});
