/** What becomes of the host's process: errors that nobody has caught, which a test runner would catch itself, and its end. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { createPluginFolder } from './plugin-folder.ts';

const greet = `export const hello = (name: string): string => 'hello ' + name;\n`;

/** What a host says that has opened `greet`. */
async function runHost(
  t: TestContext,
  code: string,
): Promise<{ readonly out: string; readonly err: string; readonly exitCode: number | null }> {
  const folder = createPluginFolder(t, { 'greet.ts': greet, 'host.ts': code });
  const module = JSON.stringify(new URL('../../src/plugin.ts', import.meta.url).href);
  folder.write({
    'host.mts': `import { fn, openPlugin } from ${module};
      import { writeFileSync } from 'node:fs';
      const file = import.meta.dirname + '/greet.ts';
      const plugin = await openPlugin(file, { watch: false, breaker: { failures: 2 } });
      const hello = plugin.lookup('hello', fn<(name: string) => string>());
      ${code}`,
  });
  const child = spawn(process.execPath, [path.join(folder.directory, 'host.mts')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill());
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { out, err, exitCode: child.exitCode };
}

test('an error in a timer or a promise of a plugin ends nothing, and counts as a failed call', async (t) => {
  const later = `setInterval(() => { throw new Error('later'); }, 1); void Promise.reject(new Error('nobody waits'));`;
  const { out, err, exitCode } = await runHost(
    t,
    `const back = new Promise((resolve) => plugin.on('rolled-back', resolve));
    writeFileSync(file, ${JSON.stringify(`${later}\nexport const hello = (): string => 'new';\n`)});
    await plugin.refresh();
    await back;
    console.log(hello('Ada'));
    await plugin.close();`,
  );
  assert.equal(out, 'hello Ada\n', err);
  assert.equal(exitCode, 0);
  assert.match(err, /an error that nobody has caught: Error: (?:later|nobody waits)\n\s+at .*greet\.ts:1:/);
});

test('an error that a version has left behind ends nothing either', async (t) => {
  const { out, err, exitCode } = await runHost(
    t,
    `globalThis.later = Promise.withResolvers();
    writeFileSync(file, ${JSON.stringify(`void globalThis.later.promise.then(() => { throw new Error('later'); });\n${greet}`)});
    await plugin.refresh();
    await plugin.close();
    globalThis.later.resolve();
    setImmediate(() => console.log('goes on'));`,
  );
  assert.equal(out, 'goes on\n', err);
  assert.equal(exitCode, 0);
  assert.match(err, /Plugin greet \(.*\), which has ended: an error that nobody has caught: Error: later/);
});

test('an error of the host ends its process as it does without plugins', async (t) => {
  const code = `setTimeout(() => { throw new Error('of the host ' + hello('Ada')); }, 1); setInterval(() => {}, 1_000);`;
  const { err, exitCode } = await runHost(t, code);
  assert.match(err, /uncaughtException: Error: of the host hello Ada/);
  assert.equal(exitCode, 1);
});

test('a plugin that is watched keeps no process alive', async (t) => {
  const code = `await openPlugin(import.meta.dirname + '/greet'); const other = await openPlugin(import.meta.dirname + '/other'); console.log(other.name);`;
  const folder = createPluginFolder(t, { 'greet.ts': greet, 'other.ts': greet });
  const module = JSON.stringify(new URL('../../src/plugin.ts', import.meta.url).href);
  folder.write({
    'host.mts': `import { openPlugin, watchPlugins } from ${module}; ${code} await watchPlugins(import.meta.dirname + '/none', {}).catch(() => null);`,
  });
  const child = spawn(process.execPath, [path.join(folder.directory, 'host.mts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill());
  const [out] = await Promise.all([text(child.stdout), once(child, 'close')]);
  assert.deepEqual([out, child.exitCode], ['other\n', 0]);
});
