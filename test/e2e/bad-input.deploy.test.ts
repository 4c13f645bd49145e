/** What `deploy` says of a release that can't serve; the one that serves goes on, in the same process. */

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createTestApp, type Files, type TestApp } from '../support/app.ts';

const toServer = (version: string): string => `
import { createServer } from 'node:http';
import { greeting } from './greeting.mjs';
createServer((request, response) => response.end(greeting + ' ${version}')).listen(Number(process.env.PORT), '127.0.0.1');
`;
const working: Files = {
  'server.mjs': toServer('v1'),
  'greeting.mjs': `export const greeting = 'hello';\n`,
};
const config = { entry: 'server.mjs', probationMs: 100 };

interface Refusal {
  readonly name: string;
  readonly files: Files;
  readonly code: string;
  readonly args?: readonly string[];
  readonly exitCode?: number;
  /** By the process that could not take over. */
  readonly printed?: RegExp;
}

const refusals: readonly Refusal[] = [
  {
    name: 'an unknown ref',
    files: {},
    args: ['no-such-tag'],
    code: 'ERR_MIDFLIGHT_SOURCE_REF_UNKNOWN',
    exitCode: 2,
  },
  {
    name: 'an entry missing in the new commit',
    files: { 'midflight.config.json': JSON.stringify({ ...config, entry: 'moved.mjs' }) },
    code: 'ERR_MIDFLIGHT_ENTRY_MISSING',
  },
  {
    name: 'a syntax error',
    files: { 'greeting.mjs': 'export const greeting = ;\n' },
    code: 'ERR_MIDFLIGHT_SYNTAX',
  },
  {
    name: 'a missing export',
    files: { 'greeting.mjs': 'export const other = 1;\n' },
    code: 'ERR_MIDFLIGHT_EXPORT_MISSING',
  },
  {
    name: 'an unknown configuration key',
    files: { 'midflight.config.json': JSON.stringify({ ...config, colour: 'red' }) },
    code: 'ERR_MIDFLIGHT_CONFIG_INVALID',
    exitCode: 2,
  },
  {
    name: 'a failing install',
    files: {
      'package.json': JSON.stringify({ name: 'app', dependencies: { ms: '2.1.3' } }),
      'package-lock.json': JSON.stringify({ name: 'app', lockfileVersion: 3, packages: {} }),
    },
    code: 'ERR_MIDFLIGHT_INSTALL_FAILED',
  },
  {
    name: 'code that throws while it loads',
    files: { 'greeting.mjs': `export const greeting = JSON.parse('{');\n` },
    code: 'ERR_MIDFLIGHT_EVALUATION_FAILED',
  },
  {
    name: 'code that exits while it loads',
    files: { 'server.mjs': "console.log('no database');\nprocess.exit(0);\n" },
    code: 'ERR_MIDFLIGHT_GENERATION_EXITED',
    printed: /^worker \d+:\nno database\n?$/,
  },
  {
    name: 'code that never listens',
    files: {
      'server.mjs': 'setInterval(() => {}, 1000);\n',
      'midflight.config.json': JSON.stringify({ ...config, readyTimeoutMs: 1_000 }),
    },
    code: 'ERR_MIDFLIGHT_WORKER_NOT_READY',
  },
  {
    name: 'code that waits for ever while it loads',
    files: {
      'server.mjs': 'await new Promise(() => setInterval(() => {}, 1000));\n',
      'midflight.config.json': JSON.stringify({ ...config, readyTimeoutMs: 1_000 }),
    },
    code: 'ERR_MIDFLIGHT_WORKER_NOT_READY',
  },
];

describe('a running app', () => {
  let app: TestApp | null = null;
  before(async () => {
    app = await createTestApp({ files: working, config });
    await app.start();
  });
  after(async () => app?.dispose());

  for (const { name, files, code, args = [], exitCode = 3, printed = /^/ } of refusals) {
    test(`deploy refuses ${name} and the old code serves on`, async () => {
      assert.ok(app !== null);
      const earlier = await app.status();
      for (const added of ['package.json', 'package-lock.json'])
        rmSync(path.join(app.directory, added), { force: true });
      app.commit({ ...working, 'midflight.config.json': JSON.stringify(config), ...files });
      const { json, exitCode: actual } = await app.midflight('deploy', '--json', ...args);
      assert.equal(json['result'], 'rejected', JSON.stringify(json));
      assert.equal((json['error'] as { code: string }).code, code, JSON.stringify(json));
      assert.equal(actual, exitCode);
      assert.match(json['output'] as string, printed);
      assert.equal(await app.get(), 'hello v1');
      const later = await app.status();
      assert.deepEqual(
        later.workers.map(({ pid }) => pid),
        earlier.workers.map(({ pid }) => pid),
      );
      assert.equal(later.release, earlier.release);
    });
  }
});
