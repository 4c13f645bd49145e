/** What docs/guide/sources.md says, followed: a service from a remote repository, and one from a bundle. */

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { readText } from '../docs/markdown.ts';
import { commandLine, createTestApp, waitForLog, type Files, type TestApp } from '../support/app.ts';

const serve = (word: string): Files => ({
  'server.ts': `import { createServer } from 'node:http';
const word: string = '${word}';
createServer((request, response) => response.end(word)).listen(Number(process.env['PORT']), '127.0.0.1');
`,
});

const appFiles: Files = {
  ...serve('one'),
  'package.json': '{ "type": "module", "main": "server.ts" }',
  'midflight.config.json': '{ "entry": "server.ts", "probationMs": 100 }',
};

/** Pushes what is committed to a bare repository inside of the working copy. */
function push({ directory }: TestApp): string {
  const remote = path.join(directory, '.midflight/remote.git');
  mkdirSync(path.dirname(remote), { recursive: true });
  execFileSync('git', ['init', '--quiet', '--bare', '--initial-branch=main', remote]);
  execFileSync('git', ['push', '--quiet', '--force', remote, 'HEAD:main'], { cwd: directory });
  return remote;
}

test('a directory with nothing but a source serves what is pushed, by start, deploy and SIGHUP', async (t) => {
  const guide = readText('docs/guide/sources.md');
  const [, example = '{}'] = /```json\n(.*?)```/s.exec(guide) ?? [];
  const copy = await createTestApp({ files: appFiles });
  t.after(() => copy.dispose());
  const { source } = JSON.parse(example) as { source: object };
  const config = { source: { ...source, repository: push(copy) } };
  const server = await createTestApp({ files: {}, config, git: false });
  t.after(() => server.dispose());
  const keeper = await server.start();
  assert.equal(await server.get(), 'one');
  copy.commit(serve('two'));
  push(copy);
  const { json } = await server.midflight('deploy', '--json');
  assert.deepEqual([json['result'], json['path']], ['committed', 'swap']);
  assert.equal(await server.get(), 'two');
  copy.commit(serve('three'));
  const remote = push(copy);
  keeper.kill('SIGHUP');
  await waitForLog(keeper, server.log, /(?:commit.*){2}/s);
  assert.equal(await server.get(), 'three');
  // What serves serves on, whatever comes of a deploy.
  rmSync(remote, { recursive: true });
  const refused = await server.midflight('deploy', '--json');
  assert.equal(refused.exitCode, 1);
  const { code } = refused.json['error'] as { code: string };
  assert.equal(code, 'ERR_MIDFLIGHT_SOURCE_UNREACHABLE');
  assert.equal(await server.get(), 'three');
});

test('a bundle that is made elsewhere is deployed, again changes nothing, and has to be signed where keys are trusted', async (t) => {
  const copy = await createTestApp({ files: appFiles });
  const server = await createTestApp({ files: appFiles });
  t.after(async () => Promise.all([copy.dispose(), server.dispose()]));
  await server.start();
  copy.commit(serve('two'));
  const file = path.join(copy.directory, 'shop.bundle');
  const bundled = await copy.midflight('bundle', '--out', file, '--json');
  assert.equal(bundled.exitCode, 0, bundled.stderr);
  spawnSync('cp', [file, server.directory]);
  const { json } = await server.midflight('deploy', '--bundle', 'shop.bundle', '--json');
  assert.deepEqual(
    [json['result'], json['path'], json['release']],
    ['committed', 'swap', bundled.json['release']],
  );
  assert.equal(await server.get(), 'two');
  const again = await server.midflight('deploy', '--bundle', 'shop.bundle', '--json');
  assert.equal(again.json['result'], 'unchanged');
  // From here on only what is signed gets in. A statement is about an app by the name of its directory.
  const builder = path.join(copy.directory, path.basename(server.directory));
  renameSync(path.join(copy.directory, '.git'), path.join(copy.directory, 'git'));
  mkdirSync(builder);
  for (const name of ['server.ts', 'package.json', 'midflight.config.json'])
    writeFileSync(path.join(builder, name), readFileSync(path.join(copy.directory, name)));
  const key = path.join(copy.directory, 'key');
  await copy.midflight('keygen', '--out', key);
  await server.midflight('trust', 'add', `${key}.pub`);
  const bundle = async (word: string, ...args: string[]): Promise<void> => {
    writeFileSync(path.join(builder, 'server.ts'), serve(word)['server.ts'] ?? '');
    const outcome = spawnSync(process.execPath, [commandLine, 'bundle', '--dirty', '--out', file, ...args], {
      cwd: builder,
      encoding: 'utf8',
    });
    assert.equal(outcome.status, 0, outcome.stderr);
  };
  await bundle('three', '--no-dependencies');
  const unsigned = await server.midflight('deploy', '--bundle', file, '--json');
  const { code } = unsigned.json['error'] as { code: string };
  assert.equal(code, 'ERR_MIDFLIGHT_RELEASE_UNSIGNED');
  assert.equal(await server.get(), 'two');
  await bundle('four', '--sign', key);
  const signed = await server.midflight('deploy', '--bundle', file, '--json');
  assert.equal(signed.json['result'], 'committed', JSON.stringify(signed.json['error']));
  assert.equal(await server.get(), 'four');
});
