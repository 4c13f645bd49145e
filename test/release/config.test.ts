/** Reading a configuration from the file of an app. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { readConfig } from '../../src/release/config.ts';
import { loadConfig } from '../../src/release/load-config.ts';

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

test('a configuration that does not end, exits, or is more than data is refused, and nothing of it goes on', async (t) => {
  const read = async (text: string, timeoutMs?: number): Promise<unknown> =>
    loadConfig(path.join(createFolder(t, 'midflight.config.mjs', text), 'midflight.config.mjs'), timeoutMs);
  const refused = async (text: string, message: RegExp, timeoutMs?: number): Promise<void> =>
    assert.rejects(read(text, timeoutMs), { code: 'ERR_MIDFLIGHT_CONFIG_UNREADABLE', message });
  await refused(
    'await new Promise(() => setInterval(() => {}, 1)); export default {};',
    /no value after/,
    200,
  );
  await refused('for (;;); export default {};', /no value after/, 200);
  await refused('process.exit(7);', /exit code 7/);
  await refused('throw new RangeError("too much");', /RangeError: too much/);
  await refused('export default { entry: () => "server.js" };', /could not be cloned/);
  assert.deepEqual(await read('setInterval(() => {}, 1); export default { workers: 2 };'), { workers: 2 });
});

test('what is shared is inside of the app, for what is there is removed', async (t) => {
  for (const name of ['..', '../data', 'a/../../data', '/data', '', '.', './']) {
    const text = JSON.stringify({ shared: [name] });
    await assert.rejects(readConfig(createFolder(t, 'midflight.config.json', text)), {
      code: 'ERR_MIDFLIGHT_CONFIG_INVALID',
      message: /shared\.0: is not a path inside of the app/,
    });
  }
  const { shared } = await readConfig(
    createFolder(t, 'midflight.config.json', '{"shared":["..data","a/b/"]}'),
  );
  assert.deepEqual(shared, ['..data', 'a/b/']);
});

test('an address that is none is told when the configuration is read', async (t) => {
  for (const address of ['8080', 'localhost', '127.0.0.1:70000', 'http://x:1', '']) {
    const text = JSON.stringify({ command: ['x'], listen: [':8080', address] });
    await assert.rejects(readConfig(createFolder(t, 'midflight.config.json', text)), {
      code: 'ERR_MIDFLIGHT_CONFIG_INVALID',
      message: /listen\.1: .* is not an address; write "127\.0\.0\.1:8080"/,
    });
  }
  const listen = ['127.0.0.1:8080', '[::1]:0', ':80', 'unix:/run/x.sock'];
  const text = JSON.stringify({ command: ['x'], listen });
  assert.deepEqual((await readConfig(createFolder(t, 'midflight.config.json', text))).listen, listen);
});

test('workers of a program, which runs once, are refused', async (t) => {
  const text = JSON.stringify({ command: ['x'], listen: [':8080'], workers: 4 });
  await assert.rejects(readConfig(createFolder(t, 'midflight.config.json', text)), {
    code: 'ERR_MIDFLIGHT_CONFIG_INVALID',
    message: /"workers" is for Node apps; a program .* runs once/,
  });
});
