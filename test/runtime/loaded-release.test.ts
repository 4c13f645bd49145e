import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import type { ManifestModule } from '../../src/protocol/manifest.ts';
import { readRelease, type LoadedRelease } from '../../src/runtime/loaded-release.ts';
import { toManifest } from '../plan/manifest-fixture.ts';

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');
const code = 'return 1;';
const entry = { path: 'server.ts', hash: 'c0de' } as ManifestModule;

/** A release with one module; the supervisor says the digest. */
function makeRelease(t: TestContext, supervisorSays?: string): { store: string; read: () => LoadedRelease } {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-loaded-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const [root, store] = [path.join(directory, 'app'), path.join(directory, 'store')];
  for (const each of [root, store]) mkdirSync(each);
  const manifestFile = path.join(directory, 'manifest.json');
  const contents = {
    files: {},
    compiled: { c0de: digestOf(code) },
    installedHash: null,
    ownDependenciesHash: null,
  };
  const text = JSON.stringify({ ...toManifest({}), contents });
  writeFileSync(manifestFile, text);
  writeFileSync(path.join(store, 'c0de.js'), code);
  const digest = supervisorSays ?? digestOf(text);
  return { store, read: () => readRelease({ id: 'release-1', root, manifestFile, store, digest }) };
}

test('a worker reads the code that the manifest says', (t) => {
  assert.equal(makeRelease(t).read().readCompiled(entry), code);
});

test('a worker loads no release whose manifest is not the one that the supervisor means', (t) => {
  assert.throws(makeRelease(t, digestOf('another')).read, { code: 'ERR_MIDFLIGHT_RELEASE_ALTERED' });
});

test('a worker evaluates no code that was changed in the store, also where that happens after it has started', (t) => {
  const { store, read } = makeRelease(t);
  const release = read();
  writeFileSync(path.join(store, 'c0de.js'), 'return 2;');
  assert.throws(() => release.readCompiled(entry), { code: 'ERR_MIDFLIGHT_RELEASE_ALTERED' });
});

test('code that is gone when it is asked for is named', (t) => {
  const { store, read } = makeRelease(t);
  const release = read();
  rmSync(path.join(store, 'c0de.js'));
  assert.throws(() => release.readCompiled(entry), {
    code: 'ERR_MIDFLIGHT_RELEASE_ALTERED',
    message: /^release-1 .*the compiled code of server\.ts is missing/,
  });
});

test('a worker evaluates no code of which the manifest has no digest, whatever is in the store', (t) => {
  const { store, read } = makeRelease(t);
  writeFileSync(path.join(store, 'beef.js'), code);
  const unlisted = { path: 'late.ts', hash: 'beef' } as ManifestModule;
  assert.throws(() => read().readCompiled(unlisted), { code: 'ERR_MIDFLIGHT_RELEASE_ALTERED' });
});
