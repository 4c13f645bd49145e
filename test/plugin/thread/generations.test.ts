/** A plugin in a thread, in an app whose own code is swapped. */

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { createRuntime } from '../../../src/deploy/create-runtime.ts';
import { createPluginFolder } from '../plugin-folder.ts';

const app = (word: string): string => `
import { fn, openPlugin } from 'midflight/plugin';
const plugin = await openPlugin(import.meta.dirname + '/plugins/greet', { isolation: 'worker' });
const where = plugin.lookup('where', fn());
export const say = async () => ['${word}', await where()];
`;
const greet = `import { threadId } from 'node:worker_threads';
let count = 0;
export const where = () => [threadId, ++count];
`;

test('a swap of the app keeps the thread of a plugin, which ends with the last generation that has opened it', async (t) => {
  const folder = createPluginFolder(t, { 'app/app.js': app('one'), 'app/plugins/greet.js': greet });
  const runtime = createRuntime({ root: path.join(folder.directory, 'app'), entry: 'app.js' });
  t.after(() => runtime.close());
  interface App {
    say(): Promise<[string, [number, number]]>;
  }
  const first = (await runtime.load()) as App;
  const [word, [thread, count]] = await first.say();
  assert.deepEqual([word, count], ['one', 1]);
  folder.write({ 'app/app.js': app('two') });
  await (await runtime.prepare()).commit();
  const second = runtime.namespace() as App;
  assert.deepEqual(await second.say(), ['two', [thread, 2]]);
  folder.write({ 'app/app.js': 'export const say = () => "none";' });
  await (await runtime.prepare()).commit();
  let error: unknown;
  while (error === undefined)
    error = await second.say().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
  assert.equal((error as { code: string }).code, 'ERR_MIDFLIGHT_PLUGIN_CLOSED');
});
