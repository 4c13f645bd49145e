/** What a thread may do, and what is left of it. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { test } from 'node:test';
import { fn } from '../../../src/plugin.ts';
import { createPluginFolder } from '../plugin-folder.ts';

const text = fn<(value?: string) => string>();
const curious = `
  import { execFileSync } from 'node:child_process';
  import { readFileSync, writeFileSync } from 'node:fs';
  import { Worker } from 'node:worker_threads';
  export const read = (file) => readFileSync(file, 'utf8');
  export const write = (file) => (writeFileSync(file, 'written'), 'written');
  export const run = () => String(execFileSync(process.execPath, ['-p', '1'])).trim();
  export const start = () => new Worker('1', { eval: true, execArgv: [] }) && 'started';
  export const env = () => Object.keys(process.env).join();`;

test('a thread has no environment but what it is given, and with permissions may do only what they name', async (t) => {
  const folder = createPluginFolder(t, { 'plugins/curious.js': curious, 'secret.txt': 'secret' });
  const file = (name: string): string => path.join(folder.directory, name);
  const plugin = await folder.openThread('plugins/curious.js', {
    env: { WORD: 'x' },
    permissions: { write: [file('out.txt')] },
  });
  const call = async (name: string, value?: string): Promise<string> => plugin.lookup(name, text)(value);
  const denied = { code: 'ERR_ACCESS_DENIED' };
  assert.equal(await call('env'), 'WORD');
  assert.equal(await call('read', file('plugins/curious.js')), curious);
  await assert.rejects(call('read', file('secret.txt')), denied);
  await assert.rejects(call('write', file('plugins/curious.js')), denied);
  assert.equal(await call('write', file('out.txt')), 'written');
  await assert.rejects(call('run'), denied);
  await assert.rejects(call('start'), denied);
});

test('a limit that is none is refused before anything is started', async (t) => {
  const folder = createPluginFolder(t, { 'curious.js': curious });
  const refused = { code: 'ERR_MIDFLIGHT_PLUGIN_OPTION_INVALID' };
  await assert.rejects(folder.openThread('curious.js', { limits: { memoryMib: 0 } }), refused);
  await assert.rejects(folder.openThread('curious.js', { limits: { memory: 1 } as never }), refused);
});

test('a process in which only threads of plugins are left ends, and one whose plugin is closed has none', async (t) => {
  const module = JSON.stringify(new URL('../../../src/plugin.ts', import.meta.url).href);
  const folder = createPluginFolder(t, {
    'tick.js': `setInterval(() => {}, 10); export const hello = () => new Promise((resolve) => setTimeout(resolve, 50, 'hello'));`,
    'host.mts': `import { fn, openPlugin } from ${module};
      const open = () => openPlugin(import.meta.dirname + '/tick.js', { isolation: 'worker', watch: false });
      const first = await open();
      console.log(await first.lookup('hello', fn<() => string>())());
      await first.close();
      const second = await open();
      console.log(await second.lookup('hello', fn<() => string>())());`,
  });
  const child = spawn(process.execPath, [path.join(folder.directory, 'host.mts')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill());
  const [out, err] = await Promise.all([textOf(child.stdout), textOf(child.stderr), once(child, 'close')]);
  assert.deepEqual([out, err, child.exitCode], ['hello\nhello\n', '', 0]);
});
