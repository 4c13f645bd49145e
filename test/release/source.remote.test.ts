/** Sources in other repositories: fetched into a copy, by git itself, and what is said where that can't be done. */

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import type { MidflightError } from '../../src/errors.ts';
import { lockFile } from '../../src/release/file-lock.ts';
import { fetchMirror } from '../../src/release/mirror.ts';
import { fetchSource, type FetchedSource } from '../../src/release/source.ts';
import { findFreePort } from '../support/app.ts';

const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@example.test', '-c', 'commit.gpgsign=false'];

interface Remote {
  readonly base: string;
  /** The bare repository that is fetched from. */
  readonly bare: string;
  git(...args: string[]): string;
  /** Commits in the working copy and pushes; returns the commit. */
  push(files: Readonly<Record<string, string>>): string;
  /** What the source at `ref` is: the files by name. */
  fetch(ref: string, options?: { repository?: string; root?: string; defaultRef?: string }): Promise<Fetched>;
}

interface Fetched extends FetchedSource {
  readonly names: readonly string[];
  readonly progress: readonly string[];
  read(name: string): string;
}

function createRemote(t: TestContext, name = 'shop'): Remote {
  const base = mkdtempSync(path.join(tmpdir(), 'midflight-remote-'));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const bare = path.join(base, `${name}.git`);
  const copy = path.join(base, 'copy');
  const appDirectory = path.join(base, 'app');
  mkdirSync(appDirectory);
  const run = (cwd: string, ...args: string[]): string =>
    execFileSync('git', [...identity, ...args], { cwd, encoding: 'utf8', stdio: 'pipe' }).trim();
  run(base, 'init', '--quiet', '--bare', '--initial-branch=main', bare);
  run(base, 'init', '--quiet', '--initial-branch=main', copy);
  run(copy, 'remote', 'add', 'origin', bare);
  const git = (...args: string[]): string => run(copy, ...args);
  let count = 0;
  return {
    base,
    bare,
    git,
    push(files) {
      for (const [file, content] of Object.entries(files)) {
        mkdirSync(path.dirname(path.join(copy, file)), { recursive: true });
        writeFileSync(path.join(copy, file), content);
      }
      git('add', '--all');
      git('commit', '--quiet', '--allow-empty', '--message', 'change');
      git('push', '--quiet', '--force', 'origin', 'HEAD:main');
      return git('rev-parse', 'HEAD');
    },
    async fetch(ref, { repository = bare, root = '', defaultRef } = {}) {
      const target = path.join(base, `target-${++count}`);
      const progress: string[] = [];
      const settings = { repository, root, ...(defaultRef === undefined ? {} : { ref: defaultRef }) };
      const request = { appDirectory, mirrors: path.join(base, 'mirrors'), ref, isDirty: false, settings };
      const source = await fetchSource({ ...request, onProgress: (line) => progress.push(line) }, target);
      const read = (file: string): string => readFileSync(path.join(target, file), 'utf8');
      return { ...source, names: readdirSync(target).toSorted(), progress, read };
    },
  };
}

test('a branch, a tag, a short hash and HEAD of a remote repository name its commits as they are now', async (t) => {
  const remote = createRemote(t);
  const first = remote.push({ 'a.txt': 'one' });
  remote.git('tag', 'v1');
  remote.git('push', '--quiet', 'origin', 'v1');
  assert.equal((await remote.fetch('HEAD')).read('a.txt'), 'one');
  const second = remote.push({ 'a.txt': 'two' });
  for (const [ref, commit] of [
    ['HEAD', second],
    ['main', second],
    ['HEAD~1', first],
    ['v1', first],
    [first.slice(0, 9), first],
    [second, second],
  ] as const)
    assert.equal((await remote.fetch(ref)).commit, commit, ref);
  assert.equal((await remote.fetch('HEAD', { defaultRef: 'v1' })).commit, first);
});

test('a commit by its whole hash is not asked for twice, so it is there without the remote, too', async (t) => {
  const remote = createRemote(t);
  const commit = remote.push({ 'a.txt': 'one' });
  await remote.fetch('main');
  rmSync(remote.bare, { recursive: true });
  assert.equal((await remote.fetch(commit)).read('a.txt'), 'one');
  await assert.rejects(remote.fetch('main'), { code: 'ERR_MIDFLIGHT_SOURCE_UNREACHABLE' });
});

test('what was rewritten, deleted and never there is said to be so', async (t) => {
  const remote = createRemote(t);
  remote.push({ 'a.txt': 'one' });
  remote.git('push', '--quiet', 'origin', 'HEAD:gone');
  await remote.fetch('gone');
  remote.git('push', '--quiet', 'origin', '--delete', 'gone');
  remote.git('checkout', '--quiet', '--orphan', 'other');
  const rewritten = remote.push({ 'a.txt': 'rewritten' });
  const { commit, progress } = await remote.fetch('main');
  assert.equal(commit, rewritten);
  assert.match(progress.join('\n'), /the history of main was rewritten: [\da-f]+\.\.\.[\da-f]+/);
  for (const ref of ['gone', 'never', '--upload-pack=x'])
    await assert.rejects(remote.fetch(ref), { code: 'ERR_MIDFLIGHT_SOURCE_REF_UNKNOWN' });
});

test('a repository without commits, and one that git was killed in, are no end', async (t) => {
  const remote = createRemote(t);
  await assert.rejects(remote.fetch('HEAD'), { code: 'ERR_MIDFLIGHT_SOURCE_REF_UNKNOWN' });
  remote.push({ 'a.txt': 'one' });
  await remote.fetch('HEAD');
  const [mirror = ''] = readdirSync(path.join(remote.base, 'mirrors'));
  writeFileSync(path.join(remote.base, 'mirrors', mirror, 'refs/heads/main.lock'), '');
  remote.push({ 'a.txt': 'two' });
  const { read, progress } = await remote.fetch('HEAD');
  assert.equal(read('a.txt'), 'two');
  assert.match(progress.join('\n'), /made anew/);
});

test('git daemon is fetched from, and when it has ended the error says which repository', async (t) => {
  const remote = createRemote(t);
  const commit = remote.push({ 'a.txt': 'one' });
  const port = await findFreePort();
  const options = ['--export-all', '--listen=127.0.0.1', `--port=${port}`, `--base-path=${remote.base}`];
  const daemon = spawn('git', ['daemon', '--verbose', ...options], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const end = async (): Promise<void> => {
    if (daemon.exitCode !== null || daemon.signalCode !== null || daemon.pid === undefined) return;
    // It is a child of `git` itself.
    process.kill(-daemon.pid, 'SIGKILL');
    await once(daemon, 'close');
  };
  t.after(end);
  await once(daemon.stderr, 'data');
  const repository = `git://127.0.0.1:${port}/shop.git`;
  assert.equal((await remote.fetch('main', { repository })).commit, commit);
  await end();
  await assert.rejects(remote.fetch('main', { repository }), (error: MidflightError) => {
    assert.equal(error.code, 'ERR_MIDFLIGHT_SOURCE_UNREACHABLE');
    assert.match(error.message, new RegExp(`^${repository} can't be fetched: .*refused`, 's'));
    return true;
  });
});

test('a remote that wants to know who asks is told apart, and no error has a password in it', async (t) => {
  const remote = createRemote(t);
  const server = createServer((_request, response) => {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const user of ['', 'me:canary-5Fq@', 'canary-5Fq@']) {
    const repository = `http://${user}${host}/shop.git`;
    await assert.rejects(remote.fetch('main', { repository }), (error: MidflightError) => {
      assert.equal(error.code, 'ERR_MIDFLIGHT_SOURCE_AUTHENTICATION');
      assert.doesNotMatch(`${error.message}${error.stack}${JSON.stringify(error)}`, /canary/);
      return true;
    });
  }
});

test('an app in a folder of a remote repository is that folder, and a folder that is not there an error', async (t) => {
  const remote = createRemote(t);
  remote.push({ 'a.txt': 'one', 'services/api/b.txt': 'two' });
  assert.deepEqual((await remote.fetch('main', { root: 'services/api' })).names, ['b.txt']);
  await assert.rejects(remote.fetch('main', { root: 'services/web' }), {
    code: 'ERR_MIDFLIGHT_SOURCE_ROOT_MISSING',
  });
});

test('submodules are fetched from where they are, relative to the repository, too', async (t) => {
  const remote = createRemote(t);
  const library = createRemote(t, 'library');
  library.push({ 'lib.txt': 'of the library' });
  const linked = library.git('rev-parse', 'HEAD');
  for (const [at, url] of [
    ['vendor/absolute', library.bare],
    ['vendor/relative', path.posix.join('..', '..', path.basename(library.base), 'library.git')],
  ] as const) {
    remote.git('config', '--file', '.gitmodules', `submodule.${at}.path`, at);
    remote.git('config', '--file', '.gitmodules', `submodule.${at}.url`, url);
    remote.git('update-index', '--add', '--cacheinfo', `160000,${linked},${at}`);
  }
  remote.git('add', '.gitmodules');
  remote.git('commit', '--quiet', '--message', 'submodules');
  remote.git('push', '--quiet', 'origin', 'HEAD:main');
  const { read } = await remote.fetch('main');
  assert.equal(read('vendor/absolute/lib.txt'), 'of the library');
  assert.equal(read('vendor/relative/lib.txt'), 'of the library');
  rmSync(library.bare, { recursive: true });
  rmSync(path.join(remote.base, 'mirrors'), { recursive: true });
  await assert.rejects(remote.fetch('main'), { code: 'ERR_MIDFLIGHT_SOURCE_SUBMODULE' });
});

test('a file of git LFS that is only a pointer makes no release', async (t) => {
  const remote = createRemote(t);
  const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n';
  remote.push({ 'models/a.bin': pointer });
  // What it says comes after the file: git-lfs itself, where it is installed, would refuse to take that in.
  remote.push({ 'models/.gitattributes': '*.bin filter=lfs diff=lfs\n' });
  await assert.rejects(remote.fetch('main'), (error: MidflightError) => {
    assert.equal(error.code, 'ERR_MIDFLIGHT_SOURCE_LFS');
    assert.match(error.message, /^models\/a\.bin would be/);
    return true;
  });
  remote.push({ 'models/.gitattributes': '*.bin filter=lfs export-ignore\n' });
  const { read } = await remote.fetch('main');
  assert.throws(() => read('models/a.bin'), { code: 'ENOENT' });
});

test('a repository that another process fetches is waited for, and not taken for broken', async (t) => {
  const { base, bare, push } = createRemote(t);
  const commit = push({ 'server.js': '' });
  const mirrors = path.join(base, 'mirrors');
  const request = { mirrors, repository: bare, ref: 'main', cwd: base };
  const { gitDirectory } = await fetchMirror(request);
  const other = lockFile(`${gitDirectory}.lock`, 'alone');
  await assert.rejects(fetchMirror({ ...request, timeoutMs: 0 }), {
    code: 'ERR_MIDFLIGHT_SOURCE_UNREACHABLE',
    message: /another process fetches it/,
  });
  const waiting = fetchMirror(request);
  other?.dispose();
  assert.equal((await waiting).commit, commit);
});
