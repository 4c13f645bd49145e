/** What `start` says of input that it can't work with: a code, a sentence, an exit code other than 0. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { createTestApp, type TestApp, type TestAppOptions } from '../support/app.ts';

const server = `
import { createServer } from 'node:http';
createServer((request, response) => response.end('v1')).listen(Number(process.env.PORT), '127.0.0.1');
`;
const quick = { probationMs: 100 };

interface Refusal {
  readonly name: string;
  readonly options: TestAppOptions;
  readonly code: string;
  readonly says: RegExp;
  readonly exitCode: number;
  readonly args?: readonly string[];
}

const refusals: readonly Refusal[] = [
  {
    name: 'no git repository',
    options: { files: { 'server.mjs': server }, config: { entry: 'server.mjs' }, git: false },
    code: 'ERR_MIDFLIGHT_SOURCE_NO_REPOSITORY',
    says: /--dirty/,
    exitCode: 2,
  },
  {
    name: 'an unknown ref',
    options: { files: { 'server.mjs': server }, config: { entry: 'server.mjs' } },
    args: ['no-such-branch'],
    code: 'ERR_MIDFLIGHT_SOURCE_REF_UNKNOWN',
    says: /no-such-branch/,
    exitCode: 2,
  },
  {
    name: 'no entry',
    options: { files: { 'server.mjs': server } },
    code: 'ERR_MIDFLIGHT_ENTRY_UNKNOWN',
    says: /"entry"/,
    exitCode: 2,
  },
  {
    name: 'an entry that is not there',
    options: { files: { 'server.mjs': server }, config: { entry: 'other.mjs' } },
    code: 'ERR_MIDFLIGHT_ENTRY_MISSING',
    says: /other\.mjs/,
    exitCode: 3,
  },
  {
    name: 'a syntax error',
    options: { files: { 'server.mjs': 'const = 1;\n' }, config: { entry: 'server.mjs' } },
    code: 'ERR_MIDFLIGHT_SYNTAX',
    says: /server\.mjs:1:/,
    exitCode: 3,
  },
  {
    name: 'an export that is not there',
    options: {
      files: {
        'server.mjs': `import { two } from './one.mjs';\ntwo();\n`,
        'one.mjs': 'export const one = 1;\n',
      },
      config: { entry: 'server.mjs' },
    },
    code: 'ERR_MIDFLIGHT_EXPORT_MISSING',
    says: /"two".*one\.mjs/,
    exitCode: 3,
  },
  {
    name: 'a file that is not there',
    options: { files: { 'server.mjs': `import './gone.mjs';\n` }, config: { entry: 'server.mjs' } },
    code: 'ERR_MIDFLIGHT_MODULE_UNRESOLVED',
    says: /gone\.mjs/,
    exitCode: 3,
  },
  {
    name: 'an unknown key of the configuration',
    options: { files: { 'server.mjs': server }, config: { entry: 'server.mjs', wrokers: 2 } },
    code: 'ERR_MIDFLIGHT_CONFIG_INVALID',
    says: /wrokers/,
    exitCode: 2,
  },
  {
    name: 'a failing install',
    options: {
      files: {
        'server.mjs': server,
        'package.json': JSON.stringify({ name: 'app', dependencies: { ms: '2.1.3' } }),
        'package-lock.json': JSON.stringify({ name: 'app', lockfileVersion: 3, packages: {} }),
      },
      config: { entry: 'server.mjs' },
    },
    code: 'ERR_MIDFLIGHT_INSTALL_FAILED',
    says: /npm ci/,
    exitCode: 3,
  },
  {
    name: 'a lockfile of a package manager that is not there',
    options: {
      files: {
        'server.mjs': server,
        'package.json': JSON.stringify({ name: 'app', dependencies: { ms: '2.1.3' } }),
        'pnpm-lock.yaml': `lockfileVersion: '9.0'\n`,
      },
      config: { entry: 'server.mjs' },
      environment: { PATH: '/usr/bin:/bin' },
    },
    code: 'ERR_MIDFLIGHT_PACKAGE_MANAGER_MISSING',
    says: /pnpm-lock\.yaml wants pnpm/,
    exitCode: 3,
  },
  {
    name: 'a failing build',
    options: {
      files: { 'server.mjs': server },
      config: { entry: 'server.mjs', build: 'echo no-compiler-here; exit 3' },
    },
    code: 'ERR_MIDFLIGHT_BUILD_FAILED',
    says: /no-compiler-here/,
    exitCode: 3,
  },
  {
    name: 'a worker that never listens',
    options: {
      files: { 'server.mjs': 'setInterval(() => {}, 1000);\n' },
      config: { entry: 'server.mjs', ...quick, readyTimeoutMs: 1_000 },
    },
    code: 'ERR_MIDFLIGHT_WORKER_NOT_READY',
    says: /1000 ms/,
    exitCode: 3,
  },
  {
    name: 'a worker that exits with 0 at once',
    options: { files: { 'server.mjs': `console.log('bye');\n` }, config: { entry: 'server.mjs', ...quick } },
    code: 'ERR_MIDFLIGHT_WORKER_EXITED',
    says: /exit code 0[\s\S]*bye/,
    exitCode: 3,
  },
  {
    name: 'code that throws while it loads',
    options: {
      files: { 'server.mjs': `throw new Error('not today');\n` },
      config: { entry: 'server.mjs', ...quick },
    },
    code: 'ERR_MIDFLIGHT_EVALUATION_FAILED',
    says: /not today[\s\S]*server\.mjs:1/,
    exitCode: 3,
  },
];

for (const { name, options, code, says, exitCode, args = [] } of refusals) {
  test(`start refuses ${name}`, async (t) => {
    const app = await createTestApp(options);
    t.after(() => app.dispose());
    await assertRefused(app, args, { code, says, exitCode });
  });
}

test('start refuses a port that is taken', async (t) => {
  const app = await createTestApp({
    files: { 'server.mjs': server },
    config: { entry: 'server.mjs', ...quick },
  });
  t.after(() => app.dispose());
  const taken = createServer().listen(app.port, '127.0.0.1');
  await once(taken, 'listening');
  t.after(() => taken.close());
  await assertRefused(app, [], { code: 'ERR_MIDFLIGHT_LISTEN_FAILED', says: /EADDRINUSE/, exitCode: 1 });
});

test('a second start in the same directory is refused and the first serves on', async (t) => {
  const app = await createTestApp({
    files: { 'server.mjs': server },
    config: { entry: 'server.mjs', ...quick },
  });
  t.after(() => app.dispose());
  const first = await app.start();
  const second = app.spawnStart();
  const [exitCode] = (await once(second, 'close')) as [number];
  assert.equal(exitCode, 4);
  await app.printed(new RegExp(`ERR_MIDFLIGHT_ALREADY_RUNNING[\\s\\S]*${first.pid}`));
  assert.equal(await app.get(), 'v1');
});

test('what a dead supervisor left behind does not stop the next start', async (t) => {
  const app = await createTestApp({
    files: { 'server.mjs': server },
    config: { entry: 'server.mjs', ...quick },
  });
  t.after(() => app.dispose());
  mkdirSync(path.join(app.directory, '.midflight/releases/.staging-1-1/app'), { recursive: true });
  const stale = createServer().listen(path.join(app.directory, '.midflight/control.sock'));
  await once(stale, 'listening');
  t.after(() => stale.close());
  writeFileSync(path.join(app.directory, '.midflight/supervisor.lock.pid'), '1');
  await app.start();
  assert.equal(await app.get(), 'v1');
});

for (const verb of ['deploy', 'rollback', 'status', 'stop']) {
  test(`${verb} says so when nothing runs`, async (t) => {
    const app = await createTestApp({ files: { 'server.mjs': server }, config: { entry: 'server.mjs' } });
    t.after(() => app.dispose());
    const outcome = await app.midflight(verb);
    assert.equal(outcome.exitCode, 4);
    assert.match(outcome.stderr, /ERR_MIDFLIGHT_NOT_RUNNING[\s\S]*midflight start/);
  });
}

interface Expected {
  readonly code: string;
  readonly says: RegExp;
  readonly exitCode: number;
}

async function assertRefused(
  app: TestApp,
  args: readonly string[],
  { code, says, exitCode }: Expected,
): Promise<void> {
  const child = app.spawnStart(...args);
  const [actual] = (await once(child, 'close')) as [number];
  await app.printed(new RegExp(code));
  await app.printed(says);
  assert.equal(actual, exitCode, app.log());
}
