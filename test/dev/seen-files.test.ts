import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { createSeenFiles, toStamps } from '../../src/dev/seen-files.ts';

test('a save that a process was told of is unseen until it has looked at that one, and news of it are none then', (t) => {
  const root = mkdtempSync(path.join(tmpdir(), 'midflight-seen-'));
  t.after(() => rmSync(root, { recursive: true }));
  writeFileSync(path.join(root, 'a.ts'), 'first');
  const files = createSeenFiles(root);
  files.see(toStamps(root, ['a.ts', 'absent.ts']));
  files.tell(['a.ts', 'absent.ts']);
  assert.deepEqual(files.unseen(), []);
  writeFileSync(path.join(root, 'a.ts'), 'of another size');
  assert.deepEqual([files.isSeen('a.ts'), files.unseen()], [false, ['a.ts']]);
  files.see(toStamps(root, ['a.ts']));
  assert.deepEqual([files.isSeen('a.ts'), files.unseen()], [true, []]);
  rmSync(path.join(root, 'a.ts'));
  writeFileSync(path.join(root, 'absent.ts'), '');
  assert.deepEqual(files.unseen(), ['a.ts', 'absent.ts']);
  assert.equal(files.isSeen('never.ts'), false);
});
