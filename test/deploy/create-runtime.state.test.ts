/** State in a process of one's own: a migration that fails is refused by prepare, or by commit, and costs nothing. */

import assert from 'node:assert/strict';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { createRuntime } from '../../src/deploy/create-runtime.ts';

const toProgram = (options: string): string => `
import { state } from 'midflight';
export const names = state('names', () => ['Ann'], ${options});
globalThis.seen = [...names];
`;

test('what fails at commit leaves the version before, and the next one can be prepared', async (t) => {
  const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'midflight-runtime-state-')));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const write = (options: string): void => writeFileSync(path.join(root, 'main.mjs'), toProgram(options));
  write('{}');
  const runtime = createRuntime({ root, entry: 'main.mjs' });
  t.after(() => runtime.close());
  t.after(() => Reflect.deleteProperty(globalThis, 'seen'));
  const { names } = (await runtime.load()) as { names: string[] };

  write('{ version: 1 }');
  await assert.rejects(runtime.prepare(), { code: 'ERR_MIDFLIGHT_STATE_UNMIGRATED' });

  write(`{ version: 1, migrate: (old) => { if (old.length > 1) throw new Error('too many'); return old; } }`);
  const late = await runtime.prepare();
  names.push('Bob');
  await assert.rejects(async () => late.commit(), {
    code: 'ERR_MIDFLIGHT_STATE_MIGRATION_FAILED',
    message: /too many/,
  });
  assert.equal(runtime.generations[0]?.generation, 1);

  write(`{ version: 1, migrate: { 1: { up: (old) => new Set(old), down: (newer) => [...newer] } } }`);
  const prepared = await runtime.prepare();
  await prepared.commit();
  assert.equal(runtime.generations[0]?.status, 'current');
  await runtime.rollback();
  assert.deepEqual(Reflect.get(globalThis, 'seen'), ['Ann', 'Bob']);
});
