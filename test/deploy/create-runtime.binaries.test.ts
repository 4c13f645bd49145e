/** What Node loads from the app's tree and keeps, so that a change of it takes another process. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { createRuntime } from '../../src/deploy/create-runtime.ts';

/** A WebAssembly module that exports `v`, a function of no parameters that gives a number below 64. */
function toWasm(value: number): Uint8Array {
  const type = [1, 5, 1, 0x60, 0, 1, 0x7f];
  const functions = [3, 2, 1, 0];
  const exports = [7, 5, 1, 1, 0x76, 0, 0];
  const code = [10, 6, 1, 4, 0, 0x41, value, 0x0b];
  return Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...type, ...functions, ...exports, ...code]);
}

test('another file of WebAssembly that a module imports is a handoff', async (t) => {
  const root = mkdtempSync(path.join(tmpdir(), 'midflight-binaries-'));
  writeFileSync(path.join(root, 'v.wasm'), toWasm(1));
  writeFileSync(path.join(root, 'main.mjs'), `import { v } from './v.wasm'; export const value = v();`);
  const runtime = createRuntime({ root, entry: 'main.mjs' });
  t.after(async () => {
    await runtime.close();
    rmSync(root, { recursive: true, force: true });
  });
  assert.equal(((await runtime.load()) as { value: number }).value, 1);
  writeFileSync(path.join(root, 'v.wasm'), toWasm(2));
  const { plan, abort } = await runtime.prepare(['v.wasm']);
  abort();
  assert.deepEqual([plan.path, plan.reasons.map(({ code }) => code)], ['handoff', ['MF1002', 'MF2003']]);
});
