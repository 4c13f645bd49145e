/** Each program in docs/reference/runtime.md, run by Node with the package installed, prints what the page says. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { readText, repository } from './markdown.ts';

const run = promisify(execFile);
const page = 'docs/reference/runtime.md';
const RUN_TIMEOUT_MS = 30_000;

const programs = [...readText(page).matchAll(/^```js\n(.*?)^```\n\n^```text\n(.*?)^```/gms)];
assert.ok(programs.length >= 4);

for (const [, program = '', output] of programs) {
  const [heading = ''] =
    readText(page)
      .split(program)[0]
      ?.match(/^## .*$/gm)
      ?.slice(-1) ?? [];
  test(`the program under "${heading.slice(3)}" in ${page} prints what the page says`, async (t) => {
    const directory = mkdtempSync(path.join(tmpdir(), 'midflight-embedder-'));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    for (const name of ['node_modules', 'plugins']) mkdirSync(path.join(directory, name));
    symlinkSync(repository, path.join(directory, 'node_modules', 'midflight'));
    const file = path.join(directory, 'program.mjs');
    writeFileSync(file, program);
    const { stdout } = await run(process.execPath, [file], { timeout: RUN_TIMEOUT_MS });
    assert.equal(stdout, output);
  });
}
