/** What of a repository becomes the source of a release. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
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
import { fetchSource, type FetchedSource, type SourceRequest } from '../../src/release/source.ts';

interface Repository {
  readonly directory: string;
  readonly target: string;
  write(name: string, content: string): void;
  git(...args: string[]): string;
}

function createRepository(t: TestContext): Repository {
  const base = mkdtempSync(path.join(tmpdir(), 'midflight-source-'));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const directory = path.join(base, 'app');
  mkdirSync(directory);
  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=Test', '-c', 'user.email=test@example.test', ...args], {
      cwd: directory,
      encoding: 'utf8',
    }).trim();
  const write = (name: string, content: string): void => {
    mkdirSync(path.dirname(path.join(directory, name)), { recursive: true });
    writeFileSync(path.join(directory, name), content);
  };
  git('init', '--quiet', '--initial-branch=main');
  write('.gitignore', 'ignored.txt\n');
  write('a.txt', 'committed');
  write('services/api/b.txt', 'in a folder');
  git('add', '--all');
  git('commit', '--quiet', '--message', 'one');
  return { directory, target: path.join(base, 'target'), write, git };
}

type Wanted = Pick<SourceRequest, 'appDirectory' | 'ref' | 'isDirty'> & Partial<SourceRequest>;

async function fetchInto(target: string, wanted: Wanted): Promise<FetchedSource> {
  const mirrors = path.join(path.dirname(target), 'mirrors');
  return fetchSource({ mirrors, settings: { root: '' }, ...wanted }, target);
}

test('a commit is taken as it is, whatever the working tree has', async (t) => {
  const { directory, target, write, git } = createRepository(t);
  write('a.txt', 'changed');
  const source = await fetchInto(target, { appDirectory: directory, ref: 'HEAD', isDirty: false });
  assert.deepEqual(source, { commit: git('rev-parse', 'HEAD'), isDirty: false, appFolder: '' });
  assert.equal(readFileSync(path.join(target, 'a.txt'), 'utf8'), 'committed');
});

test('a branch, a tag and a short hash name a commit', async (t) => {
  const { directory, target, git } = createRepository(t);
  git('tag', 'v1');
  for (const ref of ['main', 'v1', git('rev-parse', '--short', 'HEAD')]) {
    const { commit } = await fetchInto(`${target}-${ref}`, { appDirectory: directory, ref, isDirty: false });
    assert.equal(commit, git('rev-parse', 'HEAD'));
  }
});

test('an app in a folder of its repository is that folder alone', async (t) => {
  const { directory, target } = createRepository(t);
  await fetchInto(target, {
    appDirectory: path.join(directory, 'services/api'),
    ref: 'HEAD',
    isDirty: false,
  });
  assert.deepEqual(readdirSync(target), ['b.txt']);
});

test('the working tree is taken as it stands, with new files and without ignored and deleted ones', async (t) => {
  const { directory, target, write } = createRepository(t);
  write('a.txt', 'changed');
  write('new.txt', 'new');
  write('ignored.txt', 'ignored');
  write('.midflight/state', 'ours');
  rmSync(path.join(directory, 'services'), { recursive: true });
  const { isDirty } = await fetchInto(target, { appDirectory: directory, ref: 'HEAD', isDirty: true });
  assert.equal(isDirty, true);
  assert.deepEqual(readdirSync(target).toSorted(), ['.gitignore', 'a.txt', 'new.txt']);
  assert.equal(readFileSync(path.join(target, 'a.txt'), 'utf8'), 'changed');
});

test('a ref that names no commit and a folder without a repository are errors of their own', async (t) => {
  const { directory, target } = createRepository(t);
  const request = { appDirectory: directory, ref: 'nothing', isDirty: false };
  await assert.rejects(fetchInto(target, request), { code: 'ERR_MIDFLIGHT_SOURCE_REF_UNKNOWN' });
  // An option is no ref.
  await assert.rejects(fetchInto(target, { ...request, ref: '--output=x' }), {
    code: 'ERR_MIDFLIGHT_SOURCE_REF_UNKNOWN',
  });
  const bare = { ...request, appDirectory: path.dirname(directory) };
  await assert.rejects(fetchInto(target, bare), { code: 'ERR_MIDFLIGHT_SOURCE_NO_REPOSITORY' });
});

for (const [what, tar] of [
  ['is missing', null],
  ['ends early', '#!/bin/sh\nexit 7\n'],
] as const) {
  test(`where tar ${what} the source can't be fetched, and that is all`, async (t) => {
    const { directory, target, write, git } = createRepository(t);
    // More than a pipe holds.
    write('large.bin', 'x'.repeat(1_000_000));
    git('add', '--all');
    git('commit', '--quiet', '--message', 'large');
    const binaries = path.join(directory, '..', 'binaries');
    mkdirSync(binaries);
    const { PATH = '' } = process.env;
    const real = PATH.split(path.delimiter).find((folder) => existsSync(path.join(folder, 'git'))) ?? '';
    symlinkSync(path.join(real, 'git'), path.join(binaries, 'git'));
    if (tar !== null) writeFileSync(path.join(binaries, 'tar'), tar, { mode: 0o755 });
    process.env['PATH'] = binaries;
    t.after(() => (process.env['PATH'] = PATH));
    await assert.rejects(fetchInto(target, { appDirectory: directory, ref: 'HEAD', isDirty: false }), {
      code: 'ERR_MIDFLIGHT_SOURCE_FETCH_FAILED',
    });
  });
}

test('a repository that git refuses to read is not taken for a folder without one, with all that it ignores', async (t) => {
  const { directory, target, write, git } = createRepository(t);
  write('.gitignore', 'secret\n');
  write('secret', 'canary');
  git('add', '--all');
  git('commit', '--quiet', '--message', 'ignores');
  const request = { appDirectory: directory, ref: 'HEAD' };
  writeFileSync(path.join(directory, '.git/index'), 'not an index');
  await assert.rejects(fetchInto(target, { ...request, isDirty: true }), {
    code: 'ERR_MIDFLIGHT_SOURCE_FETCH_FAILED',
    message: /index/,
  });
  const another = {
    GIT_TEST_ASSUME_DIFFERENT_OWNER: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
  };
  Object.assign(process.env, another);
  t.after(() => Object.keys(another).forEach((name) => delete process.env[name]));
  for (const isDirty of [false, true])
    await assert.rejects(fetchInto(target, { ...request, isDirty }), {
      code: 'ERR_MIDFLIGHT_SOURCE_FETCH_FAILED',
      message: /dubious ownership/,
    });
  assert.ok(!existsSync(path.join(target, 'secret')));
});
