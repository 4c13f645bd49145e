/** A folder whose plugins run in threads. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fn, watchPlugins } from '../../../src/plugin.ts';
import { createPluginFolder } from '../plugin-folder.ts';

const counter = (word: string, options = ''): string => `import { state } from 'midflight';
  let tries = 0;
  const seen = state('seen', () => ({ count: 0 })${options});
  export const next = () => '${word} ' + ++seen.count;\n`;

test('threads whose states go over change together, or not at all', async (t) => {
  const folder = createPluginFolder(t, { 'a.ts': counter('a1'), 'b.ts': counter('b1') });
  const plugins = await watchPlugins(
    folder.directory,
    { next: fn<() => string>() },
    { isolation: 'worker', probationMs: 60_000 },
  );
  t.after(() => plugins.close());
  const next = async (): Promise<(string | undefined)[]> =>
    Promise.all(['a', 'b'].map(async (name) => plugins.get(name)?.exports.next()));
  assert.deepEqual(await next(), ['a1 1', 'b1 1']);

  // It can be migrated while it is prepared, and not any more when all are committed.
  const rejected = new Promise<{ name: string }>((resolve) => plugins.on('rejected', resolve));
  const failing = `, { version: 1, migrate: (older) => { if (++tries > 1) throw new Error('no'); return older; } }`;
  const swapped: string[] = [];
  plugins.on('swap', ({ name }) => swapped.push(name));
  folder.write({ 'b.ts': counter('b2', failing) });
  assert.equal((await rejected).name, 'b');
  assert.deepEqual(await next(), ['a1 2', 'b1 2']);
  assert.deepEqual(swapped, []);

  const both = new Promise<void>((resolve) => {
    plugins.on('swap', () => (swapped.length === 2 ? resolve() : undefined));
  });
  folder.write({ 'a.ts': counter('a3'), 'b.ts': counter('b3') });
  await both;
  assert.deepEqual(new Set(swapped), new Set(['a', 'b']));
  assert.deepEqual(await next(), ['a3 3', 'b3 3']);
});
