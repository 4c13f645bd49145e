/** Each program in docs/node prints what its page says: the facts that the code relies on hold on this Node. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { listMarkdown, readText } from './markdown.ts';

const run = promisify(execFile);
const RUN_TIMEOUT_MS = 30_000;
const pages = listMarkdown().filter((page) => page.startsWith('docs/node/') && !page.endsWith('/README.md'));

for (const page of pages) {
  test(`the program in ${page} prints what the page says`, async (t) => {
    const [, program, output] = /^```js\n(.*?)^```\n\n^```text\n(.*?)^```/ms.exec(readText(page)) ?? [];
    assert.ok(program !== undefined && output !== undefined, 'a page has a program and its output');
    const directory = mkdtempSync(path.join(tmpdir(), 'midflight-fact-'));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const file = path.join(directory, 'fact.mjs');
    writeFileSync(file, program);
    const flags = /^\/\/ node (.*)$/m.exec(program)?.[1]?.split(' ') ?? [];
    const { stdout } = await run(process.execPath, [...flags, file], { timeout: RUN_TIMEOUT_MS });
    assert.equal(stdout, output);
  });
}

test('each page names the code that relies on it', () => {
  for (const page of pages) assert.match(readText(page), /[Rr]elied\s+on\s+by\s+`src\//, page);
});
