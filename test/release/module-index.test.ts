/** The index of a source tree: what it says of files while they change under it. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { createModuleIndex } from '../../src/release/module-index.ts';

function createTree(t: TestContext, files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(path.join(tmpdir(), 'midflight-index-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(root, name), text);
  return root;
}

const files = {
  'entry.ts': "import { a } from './a.ts';\nconsole.log(a);\n",
  'a.ts': "export const a = 'one';\n",
  'other.ts': 'export {};\n',
};

test('a file is unchanged when it is what the last update read, also when that could not take it in', async (t) => {
  const root = createTree(t, files);
  const index = createModuleIndex({ root, entry: 'entry.ts' });
  await index.update();
  assert.equal(index.isUnchanged('a.ts'), true);
  assert.equal(index.isUnchanged('other.ts'), null);
  writeFileSync(path.join(root, 'a.ts'), 'export const');
  assert.equal(index.isUnchanged('a.ts'), false);
  await assert.rejects(index.update(['a.ts']), { code: 'ERR_MIDFLIGHT_SYNTAX' });
  assert.equal(index.isUnchanged('a.ts'), true);
  writeFileSync(path.join(root, 'a.ts'), files['a.ts']);
  assert.equal(index.isUnchanged('a.ts'), false);
  rmSync(path.join(root, 'a.ts'));
  assert.equal(index.isUnchanged('a.ts'), false);
});

test('after an update that failed the chain leads to the new module that is at fault', async (t) => {
  const root = createTree(t, files);
  const index = createModuleIndex({ root, entry: 'entry.ts' });
  await index.update();
  writeFileSync(path.join(root, 'a.ts'), "import './new.ts';\nexport const a = 'two';\n");
  writeFileSync(path.join(root, 'new.ts'), 'export const');
  await assert.rejects(index.update(['a.ts', 'new.ts']), { code: 'ERR_MIDFLIGHT_SYNTAX' });
  assert.deepEqual(index.chainTo('new.ts'), ['entry.ts', 'a.ts', 'new.ts']);
});
