import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createBuiltFiles, type BuiltFiles } from '../../src/dev/built-files.ts';

/** The clock of files ticks so often. */
const TICK_MS = 20;

interface Fixture {
  readonly files: BuiltFiles;
  write(at: string): Promise<void>;
  /** A build that writes these. */
  build(written: readonly string[], hasSucceeded?: boolean): Promise<void>;
}

function createFixture(t: TestContext): Fixture {
  const root = mkdtempSync(path.join(tmpdir(), 'midflight-built-'));
  t.after(() => rmSync(root, { recursive: true }));
  const files = createBuiltFiles(root);
  const write = async (at: string): Promise<void> => {
    await sleep(TICK_MS);
    writeFileSync(path.join(root, at), '');
    await sleep(TICK_MS);
  };
  return {
    files,
    write,
    async build(written, hasSucceeded = true) {
      files.begin();
      for (const at of written) await write(at);
      files.end(hasSucceeded);
    },
  };
}

test('what the first build that succeeds writes is made by builds, also where the news come after it', async (t) => {
  const { files, write, build } = createFixture(t);
  await write('source');
  await build(['log'], false);
  await build(['product']);
  await write('other');
  const built = ['source', 'log', 'product', 'other', 'absent'].filter((at) => files.isBuilt(at));
  assert.deepEqual(built, ['log', 'product']);
  await build(['product', 'saved']);
  assert.deepEqual([files.isBuilt('product'), files.isBuilt('saved')], [true, false]);
});

test('a file that later builds write again and again is made by them, until it is written outside of one', async (t) => {
  const { files, write, build } = createFixture(t);
  await build([]);
  const said: boolean[] = [];
  for (let count = 0; count < 3; count++) {
    await build(['product']);
    // Told of twice.
    said.push(files.isBuilt('product') || files.isBuilt('product'));
  }
  await write('product');
  assert.deepEqual([said, files.isBuilt('product')], [[false, false, true], false]);
});
