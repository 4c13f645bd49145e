/** Versions that are well while they are prepared, and can't be committed. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fn } from '../../src/plugin.ts';
import { createPluginFolder } from './plugin-folder.ts';

test('a version whose states can’t be migrated at its commit is ended, and the one before goes on', async (t) => {
  const events: string[] = ((globalThis as { commitEvents?: string[] }).commitEvents = []);
  const counter = (options: string, setup: string): string => `import { state } from 'midflight';
    import { definePlugin } from 'midflight/plugin';
    const seen = state('seen', () => ({ count: 0 })${options});
    export default definePlugin({ ${setup} });
    export const next = () => ++seen.count;`;
  const folder = createPluginFolder(t, { 'count.ts': counter('', '') });
  const plugin = await folder.open('count');
  const next = plugin.lookup('next', fn<() => number>());
  (globalThis as { commitNext?: () => number }).commitNext = next;
  const migrate = `, { version: 1, migrate: (older) => { if (older.count > 0) throw new Error('too late'); return older; } }`;
  // Something is written between the two migrations.
  const setup = `setup: () => globalThis.commitNext(), dispose: () => globalThis.commitEvents.push('disposed')`;
  folder.write({ 'count.ts': counter(migrate, setup) });
  await assert.rejects(plugin.refresh(), {
    code: 'ERR_MIDFLIGHT_STATE_MIGRATION_FAILED',
    message: /too late/,
  });
  assert.deepEqual(events, ['disposed']);
  assert.equal(next(), 2);
});
