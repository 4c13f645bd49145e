/** Plugins in an app whose own code is swapped, too. */

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { createRuntime } from '../../src/deploy/create-runtime.ts';
import { createPluginFolder } from './plugin-folder.ts';

const app = (word: string): string => `
import { fn, openPlugin } from 'midflight/plugin';
const plugin = await openPlugin(import.meta.dirname + '/plugins/greet');
const hello = plugin.lookup('hello', fn());
export const say = (name) => '${word} ' + hello(name);
`;
const greet = (word: string): string => `
import { state } from 'midflight';
import { definePlugin } from 'midflight/plugin';
const seen = state('seen', () => ({ count: 0 }));
globalThis.greetEvents ??= [];
globalThis.greetEvents.push('evaluated');
export default definePlugin({ dispose: () => globalThis.greetEvents.push('disposed') });
export const hello = (name) => '${word} ' + name + ' ' + ++seen.count;
`;

test('a swap of the app keeps the plugin as it is, and the plugin ends with the last generation that has opened it', async (t) => {
  const folder = createPluginFolder(t, { 'app/app.js': app('one'), 'app/plugins/greet.js': greet('hello') });
  const runtime = createRuntime({ root: path.join(folder.directory, 'app'), entry: 'app.js' });
  t.after(() => runtime.close());
  const events = (): string[] => (globalThis as unknown as { greetEvents: string[] }).greetEvents;
  const { say } = (await runtime.load()) as { say: (name: string) => string };
  assert.equal(say('Ada'), 'one hello Ada 1');
  folder.write({ 'app/app.js': app('two') });
  await (await runtime.prepare()).commit();
  const next = runtime.namespace() as { say: (name: string) => string };
  assert.equal(next.say('Ada'), 'two hello Ada 2');
  assert.deepEqual(events(), ['evaluated']);
  folder.write({ 'app/app.js': 'export const say = () => "none";' });
  await (await runtime.prepare()).commit();
  while (events().length < 2) await new Promise(setImmediate);
  assert.deepEqual(events(), ['evaluated', 'disposed']);
});
