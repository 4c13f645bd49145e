/** Plugins in an app whose own code is swapped, too. */

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { createRuntime } from '../../src/deploy/create-runtime.ts';
import { fn, openPlugin, type Plugin } from '../../src/plugin.ts';
import { currentScope, runInScope, type GenerationScope } from '../../src/runtime/generation-scope.ts';
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

test('what listens runs as the code that has added it, and what a request has closed itself is not kept until its generation ends', async (t) => {
  const folder = createPluginFolder(t, { 'greet.js': 'export const hello = () => "old";' });
  const toScope = (generation: number): GenerationScope => ({
    generation,
    release: 'r',
    status: 'current',
    inFlightCount: 0,
  });
  const [first, second] = [toScope(1), toScope(2)];
  const open = async (): Promise<Plugin> => openPlugin(path.join(folder.directory, 'greet'));
  const early = await runInScope(first, open);
  const late = await runInScope(second, open);
  const heard = new Promise((resolve) => {
    runInScope(second, () => late.on('swap', () => resolve(currentScope())));
  });
  folder.write({ 'greet.js': 'export const hello = () => "new";' });
  assert.equal(await heard, second);
  await early.close();
  assert.equal(first.endings?.size, 0);
  for (const end of second.endings ?? []) end();
  assert.throws(() => late.lookup('hello', fn()), { code: 'ERR_MIDFLIGHT_PLUGIN_CLOSED' });
});
