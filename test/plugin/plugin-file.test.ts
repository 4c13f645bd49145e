/** Where a plugin starts. */

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { findPluginFile } from '../../src/plugin/plugin-file.ts';
import { createPluginFolder } from './plugin-folder.ts';

test('a folder starts with main of its package.json as require finds it, else what it exports to import, else its index', (t) => {
  const folder = createPluginFolder(t, { 'p/lib/main.js': '', 'p/lib/index.js': '', 'p/index.ts': '' });
  const entryWith = (description: object): string => {
    folder.write({ 'p/package.json': JSON.stringify(description) });
    return findPluginFile(path.join(folder.directory, 'p')).findEntry();
  };
  assert.deepEqual(
    [
      entryWith({ main: './lib/main.js' }),
      entryWith({ main: 'lib/main' }),
      entryWith({ main: './lib' }),
      entryWith({ exports: { '.': { types: './x.d.ts', import: './lib/main.js' } } }),
      entryWith({ main: '' }),
      entryWith({}),
    ],
    ['lib/main.js', 'lib/main.js', 'lib/index.js', 'lib/main.js', 'index.ts', 'index.ts'],
  );
  assert.throws(() => entryWith({ main: 'none' }), {
    code: 'ERR_MIDFLIGHT_PLUGIN_UNKNOWN',
    message: /no none in it/,
  });
});
