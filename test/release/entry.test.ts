/** Which file an app starts with: the configuration, then the start script, then `main`. */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { findEntry } from '../../src/release/entry.ts';

function createTree(t: TestContext, files: readonly string[], packageJson?: object): string {
  const root = mkdtempSync(path.join(tmpdir(), 'midflight-entry-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const name of files) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), '');
  }
  if (packageJson !== undefined) writeFileSync(path.join(root, 'package.json'), JSON.stringify(packageJson));
  return root;
}

interface Case {
  readonly name: string;
  readonly files: readonly string[];
  readonly packageJson?: object;
  readonly configured?: string;
  readonly entry: string;
}

const both = { main: 'main.js', scripts: { start: 'node start.js' } };

const found: readonly Case[] = [
  {
    name: 'the configuration comes first',
    files: ['own.ts', 'start.js'],
    packageJson: both,
    configured: 'own.ts',
    entry: 'own.ts',
  },
  { name: 'then the start script', files: ['start.js', 'main.js'], packageJson: both, entry: 'start.js' },
  {
    name: 'then main',
    files: ['main.js'],
    packageJson: { main: 'main.js', scripts: { start: 'next start' } },
    entry: 'main.js',
  },
  {
    name: 'an extension may be left out',
    files: ['src/server.ts'],
    configured: 'src/server',
    entry: 'src/server.ts',
  },
  {
    name: 'a folder stands for its index',
    files: ['app/index.ts'],
    configured: 'app',
    entry: 'app/index.ts',
  },
  { name: 'a file may have no extension', files: ['bin/www'], configured: './bin/www', entry: 'bin/www' },
];

for (const { name, files, packageJson, configured, entry } of found) {
  test(name, async (t) => {
    const root = createTree(t, files, packageJson);
    assert.equal((await findEntry(root, configured)).entry, entry);
  });
}

test('no entry, one that is not there and one outside are errors of their own', async (t) => {
  const root = createTree(t, ['server.js']);
  await assert.rejects(findEntry(root, undefined), { code: 'ERR_MIDFLIGHT_ENTRY_UNKNOWN' });
  await assert.rejects(findEntry(root, 'other.js'), { code: 'ERR_MIDFLIGHT_ENTRY_MISSING' });
  await assert.rejects(findEntry(root, '../server.js'), { code: 'ERR_MIDFLIGHT_ENTRY_MISSING' });
});

test('of several scripts the first counts that runs a file which is there; main only where none runs a file', async (t) => {
  const scripts = { start: 'node dist/server.js', dev: 'tsx watch src/server.ts' };
  const names = ['dev', 'start'];
  const source = createTree(t, ['src/server.ts', 'main.js'], { main: 'main.js', scripts });
  assert.equal((await findEntry(source, undefined, names)).entry, 'src/server.ts');
  const built = createTree(t, ['dist/server.js', 'main.js'], { main: 'main.js', scripts });
  assert.equal((await findEntry(built, undefined, names)).entry, 'dist/server.js');
  const plain = createTree(t, ['main.js'], { main: 'main.js', scripts: { dev: 'midflight dev' } });
  assert.equal((await findEntry(plain, undefined, names)).entry, 'main.js');
});
