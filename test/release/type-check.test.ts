/** The project's own type check, as a gate of a release. */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import type { MidflightError } from '../../src/errors.ts';
import { checkTypes } from '../../src/release/type-check.ts';
import { repository } from '../support/app.ts';

interface Tree {
  write(text: string): void;
  check(typecheck: string | true, timeoutMs?: number): Promise<MidflightError | null>;
}

function createTree(t: TestContext, hasCompiler = true): Tree {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-check-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const root = path.join(directory, 'staging', 'app');
  const cacheDirectory = path.join(directory, 'cache');
  mkdirSync(root, { recursive: true });
  mkdirSync(cacheDirectory);
  writeFileSync(path.join(root, 'tsconfig.json'), '{ "compilerOptions": { "strict": true, "types": [] } }');
  if (hasCompiler) symlinkSync(path.join(repository, 'node_modules'), path.join(root, 'node_modules'));
  return {
    write: (text) => writeFileSync(path.join(root, 'a.ts'), text),
    check: (typecheck, timeoutMs = 60_000) =>
      checkTypes({ tree: root, root, typecheck, timeoutMs, names: [], cacheDirectory }),
  };
}

test('types that are wrong are told with file, line and what the compiler says, each time they are', async (t) => {
  const { write, check } = createTree(t);
  write('export const a: string = 1;');
  for (const _ of ['first', 'incremental']) {
    const problem = await check(true);
    assert.equal(problem?.code, 'ERR_MIDFLIGHT_TYPES_WRONG');
    assert.match(problem?.message ?? '', /"tsc --noEmit" failed:\na\.ts:1:14 TS2322: Type 'number'/);
  }
  write('export const a: string = "1";');
  assert.equal(await check(true), null);
});

test('of many errors the first are shown, and how many there are besides', async (t) => {
  const { write, check } = createTree(t);
  write(Array.from({ length: 8 }, (_, index) => `export const a${index}: string = 1;`).join('\n'));
  const lines = (await check(true))?.message.split('\n') ?? [];
  assert.equal(lines.length, 7);
  assert.equal(lines.at(-1), 'and 3 more');
});

test('a command of its own is run with the packages on its path, and its output is without colours', async (t) => {
  const { check } = createTree(t);
  assert.equal(await check('tsc --version'), null);
  const problem = await check(String.raw`printf '\033[31mno types\033[0m\n'; exit 3`);
  assert.match(problem?.message ?? '', /failed:\nno types$/);
  assert.match((await check('exit 4'))?.message ?? '', /failed:\nexit code 4$/);
});

test('a check that does not end, or that has no compiler, fails and says so', async (t) => {
  const { check } = createTree(t, false);
  assert.match((await check('sleep 600', 50))?.message ?? '', /failed:\nno end after 50 ms$/);
  assert.match((await check(true))?.message ?? '', /no TypeScript is installed/);
});
