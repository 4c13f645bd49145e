/** What a plugin in a thread can do to itself, while the service goes on. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { fn, type ThreadPlugin } from '../../../src/plugin.ts';
import { createPluginFolder } from '../plugin-folder.ts';

const text = fn<() => string>();
const good = `export const hello = () => 'good';\nexport const bad = () => 'harmless';\n`;
const harm: Readonly<Record<string, readonly [body: string, why: RegExp]>> = {
  'an endless loop': [`for (;;);`, /let nothing run for 200 ms/],
  'an endless loop that V8 would not interrupt': [
    `const a = []; for (let n = 0; ; n++) a[n % 9] = new Array(100);`,
    /let nothing run/,
  ],
  'a memory bomb': [
    `const a = []; for (;;) a.push({ a: a.length });`,
    /holds \d+ MiB, and limits\.memoryMib is 32/,
  ],
  'a bomb of buffers': [
    `const a = []; for (;;) a.push(Buffer.alloc(1e6, 1));`,
    /holds \d+ MiB, and limits\.memoryMib is 32/,
  ],
  'process.exit': [`process.exit(7);`, /process\.exit\(7\)/],
  'an error that nobody catches': [
    `setImmediate(() => { throw new Error('later'); }); return new Promise(() => {});`,
    /not caught: later/,
  ],
  'a promise that nobody catches': [
    `void Promise.reject(new Error('lost')); return new Promise(() => {});`,
    /not caught: lost/,
  ],
};

/** Resolves when an answer comes that is not an error of a thread that has ended, or late where the machine is slow. */
async function untilAnswered<Result>(call: () => Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      const { code } = error as { code: string };
      if (!/^ERR_MIDFLIGHT_PLUGIN_(?:STOPPED|SUSPENDED|TIMED_OUT)$/.test(code)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

async function serve(t: TestContext): Promise<() => Promise<string>> {
  const server = createServer((_, response) => response.end('served')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  return async () => (await fetch(`http://127.0.0.1:${port}/`)).text();
}

for (const [name, [body, why]] of Object.entries(harm)) {
  test(`${name} ends the thread only: the service answers meanwhile, every call is told, and the plugin is started again`, async (t) => {
    const folder = createPluginFolder(t, {
      'greet.ts': `export const hello = () => 'good';\nexport const wait = () => new Promise(() => {});\nexport const bad = () => { ${body} };\n`,
    });
    const ask = await serve(t);
    const plugin = await folder.openThread('greet', {
      timeoutMs: name.includes('loop') ? 500 : 30_000,
      limits: { stuckMs: 200, memoryMib: 32 },
    });
    const [hello, bad, wait] = ['hello', 'bad', 'wait'].map((each) => plugin.lookup(each, text));
    assert.ok(hello && bad && wait);
    const told = Promise.allSettled([wait(), bad(), hello()]);
    // Some have passed their deadline before the thread is found to be stuck: one that is called then hears of it.
    const all = told.then(async (results) => [...results, ...(await Promise.allSettled([hello()]))]);
    let isOver = false;
    void all.then(() => (isOver = true));
    while (!isOver) assert.equal(await ask(), 'served');
    const failed = (await all).filter((result) => result.status === 'rejected');
    const reasons = failed.map(({ reason }) => reason as Error & { code: string });
    for (const { code } of reasons) assert.match(code, /^ERR_MIDFLIGHT_PLUGIN_(STOPPED|TIMED_OUT)$/);
    assert.match(reasons.map(({ message }) => message).join('; '), why);
    assert.equal(await untilAnswered(hello), 'good');
  });
}

test('within probation a thread that has ended gives way to the version before, also where no call was in flight', async (t) => {
  const folder = createPluginFolder(t, { 'greet.ts': good });
  const plugin = await folder.openThread('greet', { probationMs: 60_000 });
  const hello = plugin.lookup('hello', text);
  const heard = nextRollback(plugin);
  folder.write({
    'greet.ts': `import { existsSync } from 'node:fs';
      setInterval(() => { if (existsSync(import.meta.dirname + '/now')) throw new Error('a while later'); }, 10);
      export const hello = () => 'new';\n`,
  });
  await plugin.refresh();
  assert.equal(await hello(), 'new');
  folder.write({ now: '' });
  const { error } = await heard;
  assert.match(error.message, /not caught: a while later/);
  assert.equal(await hello(), 'good');
  await assert.rejects(plugin.refresh(), {
    code: 'ERR_MIDFLIGHT_PLUGIN_INVALID',
    message: /not let in again/,
  });
});

test('a thread that goes on failing calls gives way to the version before', async (t) => {
  const folder = createPluginFolder(t, { 'greet.ts': good });
  const plugin = await folder.openThread('greet', { probationMs: 60_000, breaker: { failures: 2 } });
  const hello = plugin.lookup('hello', text);
  folder.write({ 'greet.ts': `export const hello = async () => { throw new Error('broken'); };\n` });
  await plugin.refresh();
  for (let count = 0; count < 2; count++) await assert.rejects(hello(), /broken/);
  assert.equal(await hello(), 'good');
});

test('a call that is late and not stuck is given up, and its thread goes on', async (t) => {
  const folder = createPluginFolder(t, {
    'greet.ts': `import { threadId } from 'node:worker_threads';\nexport const never = () => new Promise(() => {});\nexport const where = () => threadId;\n`,
  });
  const plugin = await folder.openThread('greet', {
    timeoutMs: 1_000,
    drainTimeoutMs: 0,
    limits: { stuckMs: 30_000 },
  });
  const where = plugin.lookup('where', fn<() => number>());
  const before = await untilAnswered(where);
  await assert.rejects(plugin.lookup('never', text)(), { code: 'ERR_MIDFLIGHT_PLUGIN_TIMED_OUT' });
  assert.equal(await untilAnswered(where), before);
});

test('a plugin whose thread ends again and again rests, and a new version is called at once', async (t) => {
  const folder = createPluginFolder(t, { 'greet.ts': `export const hello = () => process.exit(1);\n` });
  const plugin = await folder.openThread('greet', { breaker: { failures: 2, restMs: 60_000 } });
  const hello = plugin.lookup('hello', text);
  await assert.rejects(hello(), { code: 'ERR_MIDFLIGHT_PLUGIN_STOPPED' });
  for (;;) {
    const error = (await hello().catch((thrown: unknown) => thrown)) as { code: string };
    if (error.code === 'ERR_MIDFLIGHT_PLUGIN_SUSPENDED') break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  folder.write({ 'greet.ts': good });
  await plugin.refresh();
  assert.equal(await hello(), 'good');
});

async function nextRollback(plugin: ThreadPlugin): Promise<{ error: Error }> {
  return new Promise((resolve) => plugin.on('rolled-back', resolve));
}
