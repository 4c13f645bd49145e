/** Bundles: a release in one file, and what is refused of a file that is not quite one. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { packTar, type TarSource } from 'modern-tar/fs';
import type { MidflightError } from '../../src/errors.ts';
import { buildRelease } from '../../src/release/build.ts';
import { createBundleGuard } from '../../src/release/bundle-guard.ts';
import { writeBundle, type WrittenBundle } from '../../src/release/bundle.ts';
import { toHome, toReleaseLocation, type Home } from '../../src/release/home.ts';
import { unpackBundle } from '../../src/release/unpack-bundle.ts';
import { verifyRelease } from '../../src/release/verify.ts';

interface Place {
  readonly base: string;
  /** Where it is built, and an empty one that it is brought to. */
  readonly from: Home;
  readonly to: Home;
  readonly file: string;
  bundle(hasDependencies?: boolean): Promise<WrittenBundle>;
}

/** An app with a dependency, which is a tarball of its own, installed by npm without any network. */
async function createPlace(t: TestContext): Promise<Place> {
  const base = realpathSync(mkdtempSync(path.join(tmpdir(), 'midflight-bundle-')));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const write = (name: string, content: string): void => {
    mkdirSync(path.dirname(path.join(base, name)), { recursive: true });
    writeFileSync(path.join(base, name), content);
  };
  write('app/package.json', '{ "private": true, "workspaces": ["packages/*"], "main": "server.js" }');
  write('app/server.js', "require('lib');\n");
  write('app/run.sh', '#!/bin/sh\n');
  write('app/data/uploaded.txt', 'not in a release');
  write('app/midflight.config.json', '{ "shared": ["data"] }');
  write('app/packages/lib/package.json', '{ "name": "lib", "version": "1.0.0", "main": "index.js" }');
  write('app/packages/lib/index.js', 'module.exports = 1;\n');
  mkdirSync(path.join(base, 'other'));
  const app = path.join(base, 'app');
  execFileSync('chmod', ['755', path.join(app, 'run.sh')]);
  execFileSync('npm', ['install', '--package-lock-only', '--offline'], { cwd: app, stdio: 'pipe' });
  const from = toHome(app);
  const { manifest } = await buildRelease({ home: from, ref: '', isDirty: true, onStep: () => undefined });
  const file = path.join(base, 'release.bundle');
  return {
    base,
    from,
    to: toHome(path.join(base, 'other')),
    file,
    bundle: async (hasDependencies = true) =>
      writeBundle({ home: from, release: manifest.id, out: file, hasDependencies }),
  };
}

async function unpack({ to, file }: Place): Promise<string> {
  const { id } = await unpackBundle({ home: to, file, onStep: () => undefined });
  return id;
}

test('a release is bundled in the same bytes each time, and elsewhere it is the same release', async (t) => {
  const place = await createPlace(t);
  const { release, platform } = await place.bundle();
  const bytes = readFileSync(place.file);
  await place.bundle();
  assert.ok(readFileSync(place.file).equals(bytes));
  assert.equal(platform, null);
  // Whoever unpacks it has their own mask for permissions.
  const mask = process.umask(0o077);
  t.after(() => process.umask(mask));
  assert.equal(await unpack(place), release);
  rmSync(place.from.directory, { recursive: true });
  assert.deepEqual((await verifyRelease(place.to, release)).problems, []);
  const { root } = toReleaseLocation(place.to, release);
  const require = createRequire(path.join(root, 'server.js'));
  assert.equal(require.resolve('lib'), path.join(root, 'packages/lib/index.js'));
  assert.equal(existsSync(path.join(root, 'data')), false);
  mkdirSync(path.join(place.base, 'other/data'));
  assert.equal(existsSync(path.join(root, 'data')), true);
  // Again, it is there already.
  assert.equal(await unpack(place), release);
});

test('what a build keeps is for its owner, whoever is the first to need the folder', async (t) => {
  const app = mkdtempSync(path.join(tmpdir(), 'midflight-own-'));
  t.after(() => rmSync(app, { recursive: true, force: true }));
  writeFileSync(path.join(app, 'server.js'), '');
  writeFileSync(path.join(app, 'package.json'), '{ "main": "server.js" }');
  await buildRelease({ home: toHome(app), ref: '', isDirty: true, onStep: () => undefined });
  assert.equal(statSync(toHome(app).directory).mode & 0o777, 0o700);
});

test('a bundle without dependencies has them installed by the lockfile', async (t) => {
  const place = await createPlace(t);
  const { release, dependencies } = await place.bundle(false);
  assert.equal(dependencies, 'lockfile');
  await unpack(place);
  assert.deepEqual((await verifyRelease(place.to, release)).problems, []);
});

test('a bundle that is cut short, altered or for another platform is refused, and leaves nothing', async (t) => {
  const place = await createPlace(t);
  const { release, sizeBytes } = await place.bundle();
  const whole = readFileSync(place.file);
  const tar = zstdDecompressSync(whole).toString('latin1');
  const writeTar = (content: string): void =>
    writeFileSync(place.file, zstdCompressSync(Buffer.from(content, 'latin1')));
  const refused = async (code: string, text: RegExp): Promise<void> => {
    await assert.rejects(unpack(place), (error: MidflightError) => {
      assert.equal(error.code, code, error.stack);
      assert.match(error.message, text);
      return true;
    });
    assert.deepEqual(readdirSync(place.to.releases), []);
    assert.equal(existsSync(place.to.store), false);
  };
  truncateSync(place.file, sizeBytes - 200);
  await refused('ERR_MIDFLIGHT_BUNDLE_UNREADABLE', /can't be read/);
  writeFileSync(place.file, 'no bundle');
  await refused('ERR_MIDFLIGHT_BUNDLE_UNREADABLE', /can't be read/);
  writeTar(tar.replace("require('lib');\n", "require('lub');\n"));
  await refused('ERR_MIDFLIGHT_BUNDLE_INVALID', /app\/server\.js is altered/);
  writeTar(tar.replace(`"id": "${release}"`, `"id": "${release.replace('2', '3')}"`));
  await refused('ERR_MIDFLIGHT_BUNDLE_INVALID', /its manifest is not/);
  writeTar(tar.slice(0, tar.indexOf('releases/') - (tar.indexOf('releases/') % 512)));
  await refused('ERR_MIDFLIGHT_BUNDLE_UNREADABLE', /truncated/);
  const other = { bundleVersion: 1, release, digest: `sha256:${'0'.repeat(64)}`, dependencies: 'included' };
  const platform = { os: 'plan9', arch: 'mips', libc: null, abi: '1' };
  const content = JSON.stringify({ ...other, platform });
  writeFileSync(
    place.file,
    zstdCompressSync(await toTar([{ type: 'content', target: 'bundle.json', content }])),
  );
  await refused('ERR_MIDFLIGHT_BUNDLE_PLATFORM', /native addons for plan9 mips, Node ABI 1, and this is/);
});

test('a bundle with a manifest of its own for a release that is here, or links out of the app, is refused and changes nothing', async (t) => {
  const place = await createPlace(t);
  const { release } = await place.bundle();
  await unpack(place);
  const { manifestFile } = toReleaseLocation(place.to, release);
  const before = readFileSync(manifestFile);
  const rewrite = async (change: (manifest: { settings: { shared: string[] } }) => void): Promise<void> => {
    const source = toReleaseLocation(place.from, release).manifestFile;
    const manifest = JSON.parse(readFileSync(source, 'utf8')) as { settings: { shared: string[] } };
    change(manifest);
    writeFileSync(source, JSON.stringify(manifest));
    writeFileSync(path.join(path.dirname(source), 'statement.json'), '{}');
    await place.bundle();
  };
  const refused = async (message: RegExp): Promise<void> =>
    assert.rejects(unpack(place), { code: 'ERR_MIDFLIGHT_BUNDLE_INVALID', message });
  await rewrite(({ settings }) => settings.shared.push('uploads'));
  await refused(/is here already, and is another/);
  assert.ok(readFileSync(manifestFile).equals(before));
  assert.equal(existsSync(path.join(path.dirname(manifestFile), 'statement.json')), false);
  rmSync(path.dirname(manifestFile), { recursive: true });
  await rewrite(({ settings }) => settings.shared.push('../../../../../out'));
  await refused(/is outside of the app/);
  assert.equal(existsSync(path.join(place.to.directory, 'out')), false);
});

test('nothing of a bundle is kept where it may not be used', async (t) => {
  const place = await createPlace(t);
  await place.bundle();
  const refusal = new Error('not signed');
  const beforeUse = async (): Promise<never> => Promise.reject(refusal);
  await assert.rejects(
    unpackBundle({ home: place.to, file: place.file, onStep: () => undefined, beforeUse }),
    refusal,
  );
  assert.deepEqual(readdirSync(place.to.directory), ['releases']);
  assert.deepEqual(readdirSync(place.to.releases), []);
});

test('a statement that nobody has looked at does not take the place of one that is here', async (t) => {
  const place = await createPlace(t);
  const { release } = await place.bundle();
  await unpack(place);
  const [from, to] = [place.from, place.to].map((home) =>
    path.join(path.dirname(toReleaseLocation(home, release).manifestFile), 'statement.json'),
  ) as [string, string];
  writeFileSync(to, 'ours');
  writeFileSync(from, 'of somebody');
  await place.bundle();
  const bring = async (use: 'renews' | 'unknown'): Promise<string> => {
    const { to: home, file } = place;
    await unpackBundle({ home, file, onStep: () => undefined, beforeUse: async () => use });
    return readFileSync(to, 'utf8');
  };
  assert.equal(await bring('unknown'), 'ours');
  assert.equal(await bring('renews'), 'of somebody');
});

test('a bundle that brings files for other releases is refused, and what no manifest answers for is left out', async (t) => {
  const place = await createPlace(t);
  const { release } = await place.bundle();
  const tar = zstdDecompressSync(readFileSync(place.file));
  const add = async (...sources: TarSource[]): Promise<void> => {
    const more = await toTar(sources);
    // Before the two empty blocks at its end.
    writeFileSync(place.file, zstdCompressSync(Buffer.concat([tar.subarray(0, -1_024), more])));
  };
  const content = 'module.exports = "evil";';
  for (const target of [
    'store/00ff.js',
    'deps/00ff/node_modules/lib/index.js',
    'releases/other/manifest.json',
  ]) {
    await add({ type: 'content', target, content });
    await assert.rejects(unpack(place), {
      code: 'ERR_MIDFLIGHT_BUNDLE_INVALID',
      message: /(?:store|deps|releases)\/\w+(?:\.js)? is not part of the release/,
    });
    assert.deepEqual(readdirSync(place.to.directory), ['releases']);
  }
  await add({ type: 'content', target: `releases/${release}/app/node_modules/.cache/lib.js`, content });
  await unpack(place);
  const { root } = toReleaseLocation(place.to, release);
  assert.equal(existsSync(path.join(root, 'node_modules/.cache')), false);
});

async function toTar(sources: readonly TarSource[]): Promise<Buffer> {
  return buffer(packTar(sources));
}

test('a bundle that unpacks without end, or to more than can be read, is refused', async () => {
  const guard = createBundleGuard('x.bundle');
  for (const [name, size] of [
    ['bundle.json', 100_000],
    ['releases/1-a/manifest.json', 1e9],
  ] as const)
    assert.throws(() => guard.isWanted({ name, size }), { code: 'ERR_MIDFLIGHT_BUNDLE_INVALID' });
  assert.equal(guard.isWanted({ name: 'releases/1-a/app/manifest.json', size: 1e9 }), true);
  // Nothing but its length is looked at.
  const endless = async function* (): AsyncGenerator<Buffer> {
    for (;;) yield { length: 1e9 } as Buffer;
  };
  const passAll = async (): Promise<void> => {
    for await (const _ of guard.limit(endless()));
  };
  await assert.rejects(passAll(), {
    code: 'ERR_MIDFLIGHT_BUNDLE_INVALID',
    message: /most of them in no file/,
  });
});

test('a bundle writes nowhere but into the release', () => {
  const name = 'releases/1-a/app/x';
  const refused = (entries: readonly object[], text: RegExp, bytesMax?: number): void => {
    const guard = createBundleGuard('x.bundle', bytesMax);
    const take = (): void => entries.forEach((entry) => void guard.isWanted({ name, size: 0, ...entry }));
    assert.throws(take, (error: MidflightError) => {
      assert.equal(error.code, 'ERR_MIDFLIGHT_BUNDLE_INVALID');
      assert.match(error.message, text);
      return true;
    });
  };
  for (const outside of [
    '../x',
    '/etc/x',
    'releases/1-a/../../x',
    'store/../../x',
    'x',
    'releases/x',
    'store/a\\..\\b',
  ])
    refused([{ name: outside }], /would be outside of the release/);
  refused([{ type: 'symlink', linkname: '/etc' }], /leads outside of the release/);
  refused([{ type: 'symlink', linkname: '../../../../x' }], /leads outside of the release/);
  refused([{ type: 'link', linkname: '../x' }], /would be outside of the release/);
  refused([{ type: 'symlink', linkname: '../app' }, { name: `${name}/y` }], /leads through a link/);
  refused([{ type: 'character-device' }], /is no file/);
  refused([{}, {}], /is in it twice/);
  refused([{ size: 600 }, { name: `${name}y`, size: 600 }], /more than 1000 bytes/, 1_000);
  const guard = createBundleGuard('x.bundle');
  assert.equal(
    guard.isWanted({ name, size: 1, type: 'symlink', linkname: '../../../deps/0a/node_modules/x' }),
    true,
  );
});
