/** Apps in a folder of a workspace: what of it is in the release, by the real npm. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { buildRelease } from '../../src/release/build.ts';
import { toHome, toReleaseLocation } from '../../src/release/home.ts';
import { findWorkspaceRoot, leaveOutOtherPackages, listPackages } from '../../src/release/workspace.ts';

const files = {
  '.gitignore': 'node_modules\n.midflight\n',
  'package.json': '{ "name": "shop", "private": true, "workspaces": ["apps/*", "./packages/**/"] }',
  'apps/api/package.json': '{ "name": "api", "version": "1.0.0", "dependencies": { "@shop/lib": "*" } }',
  'apps/api/midflight.config.json': '{ "entry": "server", "build": "node build.js", "shared": ["data"] }',
  'apps/api/build.js': "require('node:fs').writeFileSync('built.txt', String(process.env.DATABASE_URL));\n",
  'apps/api/tsconfig.json': '{ "compilerOptions": { "paths": { "#words": ["./words.ts"] } } }',
  'apps/api/words.ts': "export { word } from '@shop/lib';\n",
  'apps/api/server.ts': "import { word } from '#words';\nconsole.log(word);\n",
  'apps/other/package.json': '{ "name": "other", "version": "1.0.0" }',
  'apps/other/index.js': "console.log('other');\n",
  'packages/lib/package.json':
    '{ "name": "@shop/lib", "version": "1.0.0", "main": "index.ts", "type": "module", "dependencies": { "base": "*" } }',
  'packages/lib/index.ts': "export { word } from 'base';\n",
  'packages/deep/base/package.json': '{ "name": "base", "version": "1.0.0", "main": "index.mjs" }',
  'packages/deep/base/index.mjs': "export const word = 'one';\n",
};

function createRepository(t: TestContext): { readonly directory: string; git(...args: string[]): void } {
  const directory = realpathSync(mkdtempSync(path.join(tmpdir(), 'midflight-workspace-')));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(directory, name)), { recursive: true });
    writeFileSync(path.join(directory, name), content);
  }
  const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@example.test'];
  const git = (...args: string[]): void =>
    void execFileSync('git', [...identity, ...args], { cwd: directory, stdio: 'pipe' });
  execFileSync('npm', ['install', '--package-lock-only', '--offline'], { cwd: directory, stdio: 'pipe' });
  git('init', '--quiet');
  git('add', '--all');
  git('commit', '--quiet', '--message', 'one');
  return { directory, git };
}

test('a release of an app in a workspace has the packages that it needs as modules, and no other', async (t) => {
  const { directory } = createRepository(t);
  const home = toHome(path.join(directory, 'apps/api'));
  process.env['DATABASE_URL'] = 'canary';
  t.after(() => delete process.env['DATABASE_URL']);
  for (const isDirty of [false, true]) {
    const { manifest, problems } = await buildRelease({
      home,
      ref: 'HEAD',
      isDirty,
      onStep: () => undefined,
    });
    assert.deepEqual(problems, []);
    assert.deepEqual(
      [...manifest.modules.keys()],
      ['apps/api/server.ts', 'apps/api/words.ts', 'packages/deep/base/index.mjs', 'packages/lib/index.ts'],
    );
    assert.equal(manifest.entry, 'apps/api/server.ts');
    const { root } = toReleaseLocation(home, manifest.id);
    const inTree = (name: string): string => path.join(root, name);
    assert.equal(existsSync(inTree('apps/other/index.js')), false);
    const require = createRequire(inTree('apps/api/server.ts'));
    assert.equal(require.resolve('@shop/lib'), inTree('packages/lib/index.ts'));
    assert.equal(execFileSync('cat', [inTree('apps/api/built.txt')], { encoding: 'utf8' }), 'undefined');
  }
});

test('the workspace of a folder is the nearest above it that lists it', async () => {
  const find = async (appFolder: string, present: Readonly<Record<string, string>>): Promise<string> =>
    findWorkspaceRoot(appFolder, async (name) => present[name] ?? null);
  const yaml =
    'packages:\n  # all\n  - "apps/*"\n  - \'!apps/old\'\n  - packages/* # more\ncatalog:\n  - other/*\n';
  assert.equal(
    await find('apps/api', { 'package.json': '{ "workspaces": { "packages": ["apps/*"] } }' }),
    '',
  );
  assert.equal(await find('apps/api', { 'package.json': '{ "workspaces": ["libs/*"] }' }), 'apps/api');
  assert.equal(await find('apps/api', { 'package.json': 'no JSON' }), 'apps/api');
  assert.equal(await find('shop/apps/api', { 'shop/pnpm-workspace.yaml': yaml }), 'shop');
  assert.equal(await find('shop/packages/lib', { 'shop/pnpm-workspace.yaml': yaml }), 'shop');
  assert.equal(await find('apps/old', { 'pnpm-workspace.yaml': yaml }), 'apps/old');
  assert.equal(await find('other/x', { 'pnpm-workspace.yaml': yaml }), 'other/x');
  assert.equal(await find('', { 'package.json': '{ "workspaces": ["apps/*"] }' }), '');
});

test('patterns and links that lead out of the repository are followed by nobody, and nothing is removed there', async (t) => {
  const directory = realpathSync(mkdtempSync(path.join(tmpdir(), 'midflight-outside-')));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const root = path.join(directory, 'a/root');
  const write = (name: string, content: string): void => {
    mkdirSync(path.dirname(path.join(directory, name)), { recursive: true });
    writeFileSync(path.join(directory, name), content);
  };
  const outside = ['a/beside', 'above/one', 'linked'];
  for (const folder of outside) {
    write(`${folder}/package.json`, '{ "name": "outside" }');
    write(`${folder}/work.txt`, 'not yours');
  }
  const workspaces = ['packages/*', 'packages/link', '../beside', '../../above/*'];
  write('a/root/package.json', JSON.stringify({ workspaces }));
  for (const name of ['used', 'unused']) {
    write(`a/root/packages/${name}/package.json`, '{}');
    write(`a/root/packages/${name}/index.js`, '');
  }
  symlinkSync(path.join(directory, 'linked'), path.join(root, 'packages/link'));
  assert.deepEqual([...(await listPackages(root)).keys()], ['packages/unused', 'packages/used']);
  await leaveOutOtherPackages(root, 'packages/used');
  for (const folder of outside) assert.ok(existsSync(path.join(directory, folder, 'work.txt')), folder);
  assert.equal(existsSync(path.join(root, 'packages/unused/index.js')), false);
  assert.equal(existsSync(path.join(root, 'packages/used/index.js')), true);
});
