/** Reading a configuration from the file of an app. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { readConfig } from '../../src/release/config.ts';

function createFolder(t: TestContext, name: string, text: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'midflight-config-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(path.join(folder, name), text);
  return folder;
}

test('a configuration in TypeScript may import defineConfig where nothing is installed', async (t) => {
  const text = `import { defineConfig } from 'midflight';\nexport default defineConfig({ workers: 2 as number });\n`;
  const { workers } = await readConfig(createFolder(t, 'midflight.config.ts', text));
  assert.equal(workers, 2);
});

test('a configuration that imports another package says which one', async (t) => {
  const folder = createFolder(t, 'midflight.config.mjs', `import 'no-such-package';\nexport default {};\n`);
  await assert.rejects(readConfig(folder), {
    code: 'ERR_MIDFLIGHT_CONFIG_UNREADABLE',
    message: /no-such-package/,
  });
});
