/** A release on disk against its manifest: whatever differs is named. */

import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { verifyReleases } from '../../src/deploy/releases.ts';
import { parseManifest, type Manifest } from '../../src/protocol/manifest.ts';
import { buildRelease } from '../../src/release/build.ts';
import { toHome, type Home } from '../../src/release/home.ts';
import { verifyRelease } from '../../src/release/verify.ts';
import { putInstaller } from '../support/installer.ts';

type Built = {
  readonly home: Home;
  readonly manifest: Manifest;
  readonly inRelease: (name: string) => string;
};

const plainApp = {
  'server.ts': `import './part.js'; import data from './data.json' with { type: 'json' }; console.log(data);`,
  'part.js': 'export const café = "\\u00e9é";',
  'data.json': '{ "a": 1 }',
  'public/page.html': '<p>',
  'midflight.config.json': '{ "entry": "server.ts", "shared": ["uploads/"] }',
};

async function build(t: TestContext, files: Record<string, string | Buffer>): Promise<Built> {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-verify-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const appDirectory = path.join(directory, 'app');
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(appDirectory, name)), { recursive: true });
    writeFileSync(path.join(appDirectory, name), content);
  }
  symlinkSync('server.ts', path.join(appDirectory, 'link.ts'));
  putInstaller(t, directory);
  const home = toHome(appDirectory);
  const { manifest } = await buildRelease({ home, ref: '', isDirty: true, onStep: () => undefined });
  return { home, manifest, inRelease: (name) => path.join(home.releases, manifest.id, name) };
}

async function problemsOf({ home, manifest }: Built): Promise<string[]> {
  const { problems } = await verifyRelease(home, manifest.id);
  return problems.map(({ kind, path: at }) => `${kind} ${at.replace(manifest.id, 'ID')}`);
}

test('a release is whole as it was built, and each file that differs is named', async (t) => {
  const built = await build(t, { ...plainApp, 'latin1.js': Buffer.from([0x2f, 0x2f, 0xe9]) });
  const { home, manifest, inRelease } = built;
  assert.deepEqual(await problemsOf(built), []);
  const [module] = manifest.modules.values();
  assert.ok(module);
  const compiled = path.join(home.store, `${module.hash}.js`);
  const cases: Record<string, () => void> = {
    'altered releases/ID/app/public/page.html': () => appendFileSync(inRelease('app/public/page.html'), ' '),
    'altered releases/ID/app/server.ts': () => chmodSync(inRelease('app/server.ts'), 0o755),
    'missing releases/ID/app/data.json': () => unlinkSync(inRelease('app/data.json')),
    'unexpected releases/ID/app/public/more.js': () => writeFileSync(inRelease('app/public/more.js'), ''),
    'unexpected releases/ID/more': () => writeFileSync(inRelease('more'), ''),
    'altered releases/ID/app/link.ts': () => {
      unlinkSync(inRelease('app/link.ts'));
      symlinkSync('part.js', inRelease('app/link.ts'));
    },
    'altered releases/ID/app/uploads': () => {
      unlinkSync(inRelease('app/uploads'));
      symlinkSync('/tmp', inRelease('app/uploads'));
    },
    [`altered store/${module.hash}.js`]: () =>
      writeFileSync(compiled, readFileSync(compiled, 'utf8').replace('1', '2')),
  };
  const expected: string[] = [];
  for (const [problem, alter] of Object.entries(cases)) {
    alter();
    expected.push(problem);
    assert.deepEqual((await problemsOf(built)).toSorted(), expected.toSorted());
  }
});

test('a source map that differs is named, and so is a link to the store that leads elsewhere', async (t) => {
  const built = await build(t, plainApp);
  const { home, manifest, inRelease } = built;
  const { mapHash = '' } = manifest.modules.get('part.js') ?? {};
  appendFileSync(path.join(home.store, `${mapHash}.js.map`), '\n');
  unlinkSync(inRelease('maps'));
  assert.deepEqual(await problemsOf(built), ['missing releases/ID/maps', `altered store/${mapHash}.js.map`]);
});

test('installed dependencies are part of what is verified', async (t) => {
  const withPackages = { 'package.json': '{"dependencies":{"dep":"1"}}', 'bun.lock': '' };
  const built = await build(t, { ...plainApp, ...withPackages });
  const { home, manifest } = built;
  assert.deepEqual(await problemsOf(built), []);
  const at = `deps/${manifest.dependenciesHash}/node_modules`;
  const installed = path.join(home.directory, at);
  mkdirSync(path.join(installed, '.cache'));
  writeFileSync(path.join(installed, '.cache/tool'), '');
  assert.deepEqual(await problemsOf(built), []);
  writeFileSync(path.join(installed, 'dep/index.js'), 'export const a = 2;');
  writeFileSync(path.join(installed, 'dep/more.js'), '');
  assert.deepEqual(await problemsOf(built), [`altered ${at}/dep/index.js`, `unexpected ${at}/dep/more.js`]);
  const inventory = path.join(home.directory, `deps/${manifest.dependenciesHash}/.midflight-files.json`);
  appendFileSync(inventory, ' ');
  assert.deepEqual(await problemsOf(built), [
    `altered deps/${manifest.dependenciesHash}/.midflight-files.json`,
  ]);
});

test('dependencies in the tree itself are part of what is verified', async (t) => {
  const withPackages = { 'package.json': '{"dependencies":{"dep":"file:dep"}}', 'bun.lock': '' };
  const built = await build(t, { ...plainApp, ...withPackages });
  assert.deepEqual(await problemsOf(built), []);
  appendFileSync(built.inRelease('app/node_modules/dep/index.js'), ' ');
  assert.deepEqual(await problemsOf(built), ['altered releases/ID/app/node_modules/dep/index.js']);
});

test('a release that does not say what it has is unlisted, and what is no manifest is altered', async (t) => {
  const built = await build(t, plainApp);
  const { home, manifest, inRelease } = built;
  const written = JSON.parse(readFileSync(inRelease('manifest.json'), 'utf8')) as Record<string, unknown>;
  for (const [change, problem] of [
    [{ contents: undefined }, 'unlisted'],
    [{ formatVersion: 0 }, 'unlisted'],
    [{ id: 'other' }, 'altered'],
    [{ settings: null }, 'altered'],
  ] as const) {
    writeFileSync(inRelease('manifest.json'), JSON.stringify({ ...written, ...change }));
    assert.deepEqual(await problemsOf(built), [`${problem} releases/ID/manifest.json`]);
  }
  await assert.rejects(verifyRelease(home, '../releases'), { code: 'ERR_MIDFLIGHT_RELEASE_UNKNOWN' });
  assert.equal(parseManifest(JSON.stringify(written)).contents?.installedHash, null);
  assert.deepEqual(
    (await verifyReleases(home, null)).map(({ release }) => release),
    [manifest.id],
  );
});

test('the next build makes compiled code anew that was cut short', async (t) => {
  const built = await build(t, plainApp);
  const { home, manifest } = built;
  const [module] = manifest.modules.values();
  writeFileSync(path.join(home.store, `${module?.hash}.js`), '');
  assert.equal((await problemsOf(built)).length, 1);
  await buildRelease({ home, ref: '', isDirty: true, onStep: () => undefined });
  assert.deepEqual(await problemsOf(built), []);
});
