/**
 * Every package manager as it is: installed from the registry into a folder of its own, it writes a lockfile, and what a build makes
 * of that is run. Needs the network, so it is part of `npm run nightly` and not of the gate.
 */

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
import { buildRelease, type BuiltRelease } from '../../src/release/build.ts';
import { toHome, toReleaseLocation } from '../../src/release/home.ts';

interface Tool {
  readonly package: string;
  /** The script or binary in it. */
  readonly file: string;
  readonly command: string;
  /** Makes the lockfile. */
  readonly lock: readonly string[];
  readonly lockFile: string;
  readonly files?: Readonly<Record<string, string>>;
  /** How the app names the package of the workspace. */
  readonly local: string;
}

const pnpmWorkspace = { 'pnpm-workspace.yaml': "packages:\n  - 'apps/*'\n  - packages/*\n" };

const tools: Readonly<Record<string, Tool>> = {
  npm: {
    package: '',
    file: '',
    command: 'npm',
    lock: ['install', '--package-lock-only'],
    lockFile: 'package-lock.json',
    local: '*',
  },
  pnpm: {
    package: 'pnpm@10',
    file: 'pnpm/bin/pnpm.cjs',
    command: 'pnpm',
    lock: ['install', '--lockfile-only'],
    lockFile: 'pnpm-lock.yaml',
    files: pnpmWorkspace,
    local: 'workspace:*',
  },
  'yarn 1': {
    package: 'yarn@1',
    file: 'yarn/bin/yarn.js',
    command: 'yarn',
    lock: ['install', '--non-interactive'],
    lockFile: 'yarn.lock',
    local: '*',
  },
  'yarn 4': {
    package: '@yarnpkg/cli-dist@4',
    file: '@yarnpkg/cli-dist/bin/yarn.js',
    command: 'yarn',
    lock: ['install', '--mode=update-lockfile'],
    lockFile: 'yarn.lock',
    local: 'workspace:*',
  },
  bun: {
    package: 'bun@1',
    file: 'bun/bin/bun.exe',
    command: 'bun',
    lock: ['install', '--lockfile-only'],
    lockFile: 'bun.lock',
    local: 'workspace:*',
  },
};

for (const [name, tool] of Object.entries(tools)) {
  test(`${name}: a workspace is installed once per lockfile, and its packages are modules`, async (t) => {
    const { directory, run } = createWorkspace(t, tool);
    run(tool.command, ...tool.lock);
    assert.ok(existsSync(path.join(directory, tool.lockFile)));
    run('git', 'add', '--all');
    run('git', 'commit', '--quiet', '--message', 'one');
    const first = await build(directory);
    assert.deepEqual(first.problems, []);
    assert.deepEqual([...first.manifest.modules.keys()], ['apps/api/server.js', 'packages/lib/index.js']);
    const home = toHome(path.join(directory, 'apps/api'));
    const { root } = toReleaseLocation(home, first.manifest.id);
    const require = createRequire(path.join(root, 'apps/api/server.js'));
    assert.equal(require.resolve('ms').startsWith(realpathSync(home.dependencies)), true);
    assert.equal(require.resolve('lib'), realpathSync(path.join(root, 'packages/lib/index.js')));
    // Nothing of the package itself has to be installed for it to be built again.
    writeFileSync(path.join(directory, 'packages/lib/index.js'), 'module.exports = 2;\n');
    run('git', 'commit', '--quiet', '--all', '--message', 'two');
    const second = await build(directory);
    assert.equal(second.manifest.dependenciesHash, first.manifest.dependenciesHash);
    assert.notEqual(second.manifest.id, first.manifest.id);
  });

  test(`${name}: a lockfile that package.json has outgrown is refused`, async (t) => {
    const { directory, run, write } = createWorkspace(t, tool);
    // In a workspace Yarn 1 does not see it (yarnpkg/yarn#5840).
    for (const other of ['packages', 'apps/other', 'pnpm-workspace.yaml'])
      rmSync(path.join(directory, other), { recursive: true, force: true });
    const toPackage = (further: object): string =>
      JSON.stringify({ name: 'api', main: 'apps/api/server.js', dependencies: { ms: '2.1.3', ...further } });
    rmSync(path.join(directory, 'apps/api/package.json'));
    write({ 'package.json': toPackage({}), 'apps/api/server.js': "require('ms');\n" });
    run(tool.command, ...tool.lock);
    run('git', 'add', '--all');
    run('git', 'commit', '--quiet', '--message', 'one');
    await build(directory, '');
    write({ 'package.json': toPackage({ 'left-pad': '1.3.0' }) });
    run('git', 'commit', '--quiet', '--all', '--message', 'two');
    await assert.rejects(build(directory, ''), { code: 'ERR_MIDFLIGHT_INSTALL_FAILED' });
  });
}

interface Workspace {
  readonly directory: string;
  run(command: string, ...args: string[]): void;
  write(files: Readonly<Record<string, string>>): void;
}

function createWorkspace(t: TestContext, tool: Tool): Workspace {
  const base = mkdtempSync(path.join(tmpdir(), 'midflight-managers-'));
  const directory = path.join(base, 'shop');
  mkdirSync(directory);
  const before = process.env['PATH'] ?? '';
  process.env['PATH'] = `${toBinaries(base, tool)}${path.delimiter}${before}`;
  t.after(() => {
    process.env['PATH'] = before;
    rmSync(base, { recursive: true, force: true });
  });
  const identity = { GIT_CONFIG_COUNT: '2', GIT_CONFIG_KEY_0: 'user.name', GIT_CONFIG_VALUE_0: 'Test' };
  const email = { GIT_CONFIG_KEY_1: 'user.email', GIT_CONFIG_VALUE_1: 'test@example.test' };
  const run = (command: string, ...args: string[]): void => {
    const env = { ...process.env, ...identity, ...email, YARN_NODE_LINKER: 'node-modules' };
    execFileSync(command, args, { cwd: directory, env, stdio: 'pipe' });
  };
  const write = (files: Readonly<Record<string, string>>): void => {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(directory, name)), { recursive: true });
      writeFileSync(path.join(directory, name), content);
    }
  };
  write({
    '.gitignore': 'node_modules\n.midflight\n',
    'package.json': JSON.stringify({ name: 'shop', private: true, workspaces: ['apps/*', 'packages/*'] }),
    'apps/api/package.json': toAppPackage(tool),
    'apps/api/server.js': "console.log(require('ms')(1000), require('lib'));\n",
    'apps/other/package.json': JSON.stringify({ name: 'other', version: '1.0.0', private: true }),
    'apps/other/index.js': "require('lib');\n",
    'packages/lib/package.json': JSON.stringify({ name: 'lib', version: '1.0.0', main: 'index.js' }),
    'packages/lib/index.js': 'module.exports = 1;\n',
    ...tool.files,
  });
  run('git', 'init', '--quiet');
  return { directory, run, write };
}

function toAppPackage({ local }: Tool): string {
  const dependencies = { ms: '2.1.3', lib: local };
  return JSON.stringify({ name: 'api', version: '1.0.0', private: true, main: 'server.js', dependencies });
}

/** A folder with the tool alone, under the name that is called. */
function toBinaries(base: string, tool: Tool): string {
  const folder = path.join(base, 'bin');
  mkdirSync(folder);
  if (tool.package === '') return folder;
  const { package: wanted, file, command } = tool;
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true, "allowScripts": { "bun": true } }');
  execFileSync('npm', ['install', '--no-audit', '--no-fund', wanted], { cwd: folder, stdio: 'pipe' });
  symlinkSync(path.join(folder, 'node_modules', file), path.join(folder, command));
  return folder;
}

async function build(directory: string, folder = 'apps/api'): Promise<BuiltRelease> {
  const home = toHome(path.join(directory, folder));
  return buildRelease({ home, ref: 'HEAD', isDirty: false, onStep: () => undefined });
}
