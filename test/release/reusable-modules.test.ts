/** What a release takes over from the one before: it is the same as if all had been compiled. */

import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { parseManifest, type Manifest } from '../../src/protocol/manifest.ts';
import { buildRelease, type BuiltRelease } from '../../src/release/build.ts';
import { toHome, toReleaseLocation, type Home } from '../../src/release/home.ts';
import { verifyRelease } from '../../src/release/verify.ts';

type Files = Readonly<Record<string, string | null>>;

const files: Files = {
  'package.json': '{ "name": "app" }',
  'tsconfig.json': '{ "extends": "./base.json" }',
  'base.json': '{}',
  'midflight.config.json': '{ "entry": "main.ts" }',
  'main.ts': `import { a } from './a.ts';
import { x } from './x.js';
import data from './data.json' with { type: 'json' };
import { b } from './linked/b.ts';
import { type T } from './types.ts';
class Fields { one: T = 'two'; }
console.log(a, x, data, b, Fields, typeof require);
`,
  'a.ts': 'export const a: number = 1;\n',
  'x.js': 'export const x = 1;\n',
  'data.json': '{ "one": 1 }',
  'one/b.ts': 'export const b = 1;\n',
  'two/b.ts': 'export const b: number = 2;\n',
  'types.ts': 'export type T = string;\nexport {};\n',
  'lazy/c.ts': 'export const c = 1;\n',
  'lazy/broken.ts': 'export const',
  'notes.md': 'one',
};

function createApp(t: TestContext): Home {
  const base = mkdtempSync(path.join(tmpdir(), 'midflight-reuse-'));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const home = toHome(path.join(base, 'app'));
  write(home, files);
  symlinkSync('one', path.join(home.appDirectory, 'linked'));
  return home;
}

function write({ appDirectory }: Home, changes: Files): void {
  for (const [name, text] of Object.entries(changes)) {
    const file = path.join(appDirectory, name);
    mkdirSync(path.dirname(file), { recursive: true });
    if (text === null) rmSync(file);
    else writeFileSync(file, text);
  }
}

async function build(home: Home, before: Manifest | null): Promise<BuiltRelease> {
  return buildRelease({ home, ref: '', isDirty: true, before, onStep: () => undefined });
}

const link = (target: string) => (home: Home) => {
  rmSync(path.join(home.appDirectory, 'linked'));
  symlinkSync(target, path.join(home.appDirectory, 'linked'));
};
const lazy = "export const a: number = 1;\nexport const load = (name: string) => import('./lazy/' + name);\n";
const optional = `let found = null;
try { found = require('midflight-reuse-nowhere'); } catch {}
exports.x = found;
`;

/** One after the other, each a release that begins with what the one before had. */
const changes: Readonly<Record<string, Files | ((home: Home) => void)>> = {
  'nothing differs': {},
  'a module differs': { 'a.ts': 'export const a: number = 2;\n' },
  'an asset differs': { 'notes.md': 'two' },
  'an import is gone': { 'a.ts': 'export const other: number = 2;\n' },
  'it is there again': { 'a.ts': 'export const a: number = 3;\n' },
  'a file comes before another': { 'x.ts': 'export const x: number = 2;\n' },
  'that file goes': { 'x.ts': null },
  'a module is not imported any more': {
    'a.ts': "import './more.ts';\nexport const a = 4;\n",
    'more.ts': 'console.log(1);\n',
  },
  'one that is left behind goes': { 'a.ts': 'export const a: number = 1;\n' },
  'JSON differs': { 'data.json': '{ "two": 2 }' },
  'the settings of TypeScript differ': {
    'tsconfig.json': '{ "extends": "./base.json", "compilerOptions": { "target": "es2020" } }',
  },
  'what they extend differs': { 'base.json': '{ "compilerOptions": { "verbatimModuleSyntax": true } }' },
  'the kind of modules differs': { 'package.json': '{ "name": "app", "type": "module" }' },
  'a link leads elsewhere': link('two'),
  'any file may be loaded': { 'a.ts': lazy },
  'one of them can be compiled now': { 'lazy/broken.ts': 'export const d = 1;\n' },
  'another differs': { 'lazy/c.ts': 'export const c = 2;\n' },
  'one is imported now': { 'a.ts': `import './lazy/c.ts';\n${lazy}` },
  'no other file may be loaded': { 'a.ts': "import './lazy/c.ts';\nexport const a = 5;\n" },
  'a package is asked for that is not there': {
    'x.js': null,
    'x.cts': optional,
    'main.ts': "import './x.cts';\n",
  },
  'it is there, outside of the release': (home) =>
    write(home, {
      '../node_modules/midflight-reuse-nowhere/index.js': '',
      '../node_modules/midflight-reuse-nowhere/package.json': '{}',
    }),
};

test('a release that takes over from the one before is the same as one that was compiled from nothing', async (t) => {
  const home = createApp(t);
  let before = (await build(home, null)).manifest;
  for (const [what, change] of Object.entries(changes)) {
    if (typeof change === 'function') change(home);
    else write(home, change);
    const taken = await build(home, before);
    const whole = await build(home, null);
    const messages = (built: BuiltRelease): string[] => built.problems.map(({ message }) => message);
    assert.deepEqual(messages(taken), messages(whole), what);
    assert.equal(messages(taken).length > 0, what === 'an import is gone', what);
    assert.deepEqual(partsOf(taken.manifest), partsOf(whole.manifest), what);
    const written = readFileSync(toReleaseLocation(home, taken.manifest.id).manifestFile, 'utf8');
    assert.deepEqual(partsOf(parseManifest(written)), partsOf(taken.manifest), what);
    assert.deepEqual((await verifyRelease(home, taken.manifest.id)).problems, [], what);
    before = taken.manifest;
  }
});

/** All that does not tell when it was made. */
function partsOf(manifest: Manifest): unknown {
  return JSON.parse(JSON.stringify({ ...manifest, id: null, createdAt: null }));
}

test('only what differs is compiled, and all where the store lacks something', async (t) => {
  const home = createApp(t);
  const { manifest } = await build(home, null);
  const forget = (): void => {
    rmSync(home.cache, { recursive: true });
    mkdirSync(home.cache);
  };
  forget();
  write(home, { 'a.ts': 'export const a: number = 7;\n' });
  const next = await build(home, manifest);
  assert.deepEqual(readdirSync(home.cache), []);
  assert.notEqual(next.manifest.modules.get('a.ts')?.hash, manifest.modules.get('a.ts')?.hash);

  const lost = `${next.manifest.modules.get('x.js')?.hash}.js`;
  rmSync(path.join(home.store, lost));
  const again = await build(home, next.manifest);
  assert.ok(readdirSync(home.store).includes(lost));
  assert.deepEqual((await verifyRelease(home, again.manifest.id)).problems, []);
});

test('a release that another process has built is not taken over from', async (t) => {
  const home = createApp(t);
  const { manifest } = await build(home, null);
  rmSync(home.cache, { recursive: true });
  mkdirSync(home.cache);
  const { manifestFile } = toReleaseLocation(home, manifest.id);
  await build(home, parseManifest(readFileSync(manifestFile, 'utf8')));
  assert.equal(readdirSync(home.cache).length, manifest.modules.layers().base.size);
});
