import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { findLinkedPackages } from '../../src/dev/linked-packages.ts';

/** A workspace: packages by path with what they depend on, and links of `node_modules` by path. */
function createWorkspace(
  t: TestContext,
  packages: Readonly<Record<string, readonly string[]>>,
  links: Readonly<Record<string, string>>,
): string {
  const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'midflight-linked-')));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [at, names] of Object.entries(packages)) {
    mkdirSync(path.join(root, at), { recursive: true });
    const dependencies = Object.fromEntries(names.map((name) => [name, '*']));
    writeFileSync(path.join(root, at, 'package.json'), JSON.stringify({ dependencies }));
  }
  for (const [link, target] of Object.entries(links)) {
    mkdirSync(path.dirname(path.join(root, link)), { recursive: true });
    symlinkSync(path.join(root, target), path.join(root, link));
  }
  return root;
}

test('packages are found that lie outside and that the app depends on, also by way of others', (t) => {
  const root = createWorkspace(
    t,
    { 'apps/api': ['@shop/lib'], 'packages/lib': ['base'], 'packages/base': ['api'], 'packages/unused': [] },
    {
      'node_modules/@shop/lib': 'packages/lib',
      'node_modules/base': 'packages/base',
      'node_modules/unused': 'packages/unused',
      'node_modules/api': 'apps/api',
    },
  );
  const found = findLinkedPackages(path.join(root, 'apps/api'));
  assert.deepEqual(Object.fromEntries(found), {
    [path.join(root, 'packages/lib')]: '@shop/lib',
    [path.join(root, 'packages/base')]: 'base',
  });
});

test('not what is installed, inside of the tree, around it, or nowhere', (t) => {
  const root = createWorkspace(
    t,
    {
      'apps/api': ['installed', 'stored', 'own', 'shop', 'missing'],
      'apps/api/own': [],
      'node_modules/installed': [],
      'node_modules/.store/stored': [],
    },
    {
      'apps/api/node_modules/stored': 'node_modules/.store/stored',
      'apps/api/node_modules/own': 'apps/api/own',
      'node_modules/shop': '.',
    },
  );
  assert.equal(findLinkedPackages(path.join(root, 'apps/api')).size, 0);
});
