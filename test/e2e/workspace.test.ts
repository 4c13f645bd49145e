/** Packages of one workspace that are linked from node_modules are modules of the app. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { createTestApp, type Files } from '../support/app.ts';
import { createTestDev } from '../support/dev.ts';

const word = (text: string): Files => ({
  'packages/lib/index.ts': `export const word: string = '${text}';\n`,
});

const packages = ['apps/api', 'packages/lib'] as const;
const lock = {
  lockfileVersion: 3,
  packages: {
    '': { workspaces: packages },
    ...Object.fromEntries(packages.map((at) => [at, {}])),
    ...Object.fromEntries(packages.map((at) => [toLink(at), { resolved: at, link: true }])),
  },
};

const files: Files = {
  'package.json': JSON.stringify({ name: 'shop', private: true, workspaces: packages }),
  'package-lock.json': JSON.stringify(lock, null, 2),
  'apps/api/package.json': '{ "name": "api", "private": true, "type": "module" }',
  'packages/lib/package.json':
    '{ "name": "lib", "private": true, "type": "module", "exports": "./index.ts" }',
  'apps/api/server.ts': `import { createServer } from 'node:http';
import { word } from 'lib';
createServer((request, response) => response.end(word)).listen(Number(process.env['PORT']), '127.0.0.1');
`,
  ...word('one'),
};

function toLink(at: string): string {
  return `node_modules/${path.posix.basename(at)}`;
}

test('dev swaps for a change in a package of the workspace', async (t) => {
  const dev = await createTestDev(files);
  t.after(() => dev.dispose());
  mkdirSync(path.join(dev.directory, 'node_modules'));
  for (const at of packages) symlinkSync(`../${at}`, path.join(dev.directory, toLink(at)));
  dev.start('apps/api/server.ts');
  await dev.next('serving');
  assert.equal(await dev.get(), 'one');
  dev.write(word('two'));
  const { evaluated } = await dev.next('swapped');
  assert.deepEqual(evaluated, ['apps/api/server.ts', 'packages/lib/index.ts']);
  assert.equal(await dev.get(), 'two');
});

test('dev hands off for a change in a package that is linked from outside of its tree', async (t) => {
  const { 'apps/api/server.ts': server = '', 'packages/lib/package.json': manifest = '' } = files;
  const dev = await createTestDev({
    'package.json': '{ "type": "module", "dependencies": { "lib": "*", "left-out": "*" } }',
    'server.ts': server,
  });
  const outside = await createTestDev({ 'package.json': manifest, 'index.ts': `export const word = 'one';` });
  t.after(async () => Promise.all([dev.dispose(), outside.dispose()]));
  mkdirSync(path.join(dev.directory, 'node_modules'));
  symlinkSync(outside.directory, path.join(dev.directory, 'node_modules/lib'));
  dev.start('server.ts');
  await dev.next('serving');
  assert.equal(await dev.get(), 'one');
  outside.write({ 'index.ts': `export const word = 'two';` });
  const { reasons } = await dev.next('handoff');
  assert.match(reasons.join(), /^lib \(.*\) differs, and is outside of this directory/);
  await dev.next('handed-off');
  assert.equal(await dev.get(), 'two');
});

test('a deploy installs the links into the release, and swaps for such a change', async (t) => {
  const app = await createTestApp({ files, config: { entry: 'apps/api/server.ts', probationMs: 200 } });
  t.after(() => app.dispose());
  await app.start();
  assert.equal(await app.get(), 'one');
  app.commit(word('two'));
  const { json } = await app.midflight('deploy', '--json');
  assert.deepEqual([json['path'], json['result']], ['swap', 'committed']);
  assert.equal(await app.get(), 'two');
});
