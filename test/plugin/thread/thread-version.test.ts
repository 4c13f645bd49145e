/** Plugins in threads of their own: what is looked up, states, what they require, swaps. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { fn, type Plugin, type ThreadPlugin } from '../../../src/plugin.ts';
import { createPluginFolder } from '../plugin-folder.ts';

const text = fn<() => string>();

test('functions of a thread answer with promises, values are copies, and errors keep their name, code, cause and place', async (t) => {
  const folder = createPluginFolder(t, {
    'greet.ts': `import { threadId } from 'node:worker_threads';
      export const hello = (name: string) => 'hello ' + name;
      export const where = () => threadId;
      export const limits = { rate: 3, words: ['a'] };
      export const odd = { self: () => 1 };
      export const fail = () => { throw Object.assign(new TypeError('no'), { code: 'E_NO', cause: new RangeError('deep') }); };
      export const secret = () => () => 1;`,
  });
  const plugin = await folder.openThread('greet');
  const hello: (name: string) => Promise<string> = plugin.lookup('hello', fn<(name: string) => string>());
  assert.equal(await hello('Ada'), 'hello Ada');
  assert.notEqual(await plugin.lookup('where', fn<() => number>())(), 0);
  const limits = plugin.lookup('limits', z.object({ rate: z.number(), words: z.array(z.string()) }));
  assert.deepEqual({ ...limits }, { rate: 3, words: ['a'] });
  assert.throws(() => plugin.lookup('odd', z.object({})), {
    code: 'ERR_MIDFLIGHT_PLUGIN_MISMATCH',
    message: /can't be copied/,
  });
  assert.throws(() => plugin.lookup('limits', fn()), { code: 'ERR_MIDFLIGHT_PLUGIN_MISMATCH' });
  assert.throws(() => plugin.lookup('none', fn()), { code: 'ERR_MIDFLIGHT_PLUGIN_MISMATCH' });

  const failed = (await plugin
    .lookup('fail', text)()
    .catch((error: unknown) => error)) as Error;
  const { name, message, stack, code, cause } = failed as Error & { code: string; cause: Error };
  assert.deepEqual(
    [name, message, code, cause.name, cause.message],
    ['TypeError', 'no', 'E_NO', 'RangeError', 'deep'],
  );
  assert.match(String(stack), /greet\.ts:6:/);
  await assert.rejects(plugin.lookup('secret', text)(), {
    code: 'ERR_MIDFLIGHT_PLUGIN_RESULT_INVALID',
    message: /secret\(\).*copied/,
  });
  await assert.rejects(hello((() => 1) as never), {
    code: 'ERR_MIDFLIGHT_PLUGIN_ARGUMENTS_INVALID',
    message: /hello\(\).*copied/,
  });
});

test('schemas are the host’s, and hold calls into a thread', async (t) => {
  const folder = createPluginFolder(t, {
    'math.ts': `export const half = (n: number) => n === 4 ? 'two' : n / 2;`,
  });
  const plugin = await folder.openThread('math');
  const half = plugin.lookup('half', fn([z.number()], z.number()));
  assert.equal(await half(6), 3);
  await assert.rejects(half('x' as never), { code: 'ERR_MIDFLIGHT_PLUGIN_ARGUMENTS_INVALID' });
  await assert.rejects(half(4), { code: 'ERR_MIDFLIGHT_PLUGIN_RESULT_INVALID' });
});

test('a version that is broken in its thread is refused, and the one before goes on', async (t) => {
  const good = `export const hello = () => 'good';\n`;
  const folder = createPluginFolder(t, { 'greet.ts': good });
  const plugin = await folder.openThread('greet');
  const hello = plugin.lookup('hello', text);
  const refused = async (content: string, error: object): Promise<void> => {
    folder.write({ 'greet.ts': content });
    await assert.rejects(plugin.refresh(), error);
    assert.equal(await hello(), 'good');
  };
  const define = (content: string): string =>
    `import { definePlugin } from 'midflight/plugin';\n${good}export default definePlugin({ ${content} });\n`;
  await refused('export const other = 1;\n', { code: 'ERR_MIDFLIGHT_PLUGIN_MISMATCH' });
  await refused(`${good}throw new Error('not today');\n`, /not today/);
  await refused(define(`setup() { throw new Error('no database'); }`), {
    code: 'ERR_MIDFLIGHT_PLUGIN_SETUP_FAILED',
    message: /no database/,
  });
  await refused(`${good}process.exit(3);\n`, {
    code: 'ERR_MIDFLIGHT_PLUGIN_STOPPED',
    message: /process\.exit\(3\)/,
  });
});

test('a version that never comes to its first call is ended', async (t) => {
  const loop = `import { definePlugin } from 'midflight/plugin';\nexport default definePlugin({ setup() { for (;;); } });\n`;
  const folder = createPluginFolder(t, { 'greet.ts': loop });
  await assert.rejects(folder.openThread('greet', { limits: { startMs: 500 } }), {
    code: 'ERR_MIDFLIGHT_PLUGIN_STOPPED',
    message: /was not (?:evaluated|set up) after 500 ms/,
  });
});

const slow = (word: string): string => `
  import { state } from 'midflight';
  const gate = new BroadcastChannel('gate-' + process.env.GATE);
  gate.unref();
  export const hello = () => new Promise((resolve) => gate.addEventListener('message', () => resolve('${word}')));
  export const now = () => '${word}';`;

test('a call ends in the thread that it began in, through a swap and a removal', async (t) => {
  const folder = createPluginFolder(t, { 'greet.ts': slow('old') });
  const GATE = folder.directory;
  const plugin = await folder.openThread('greet', { env: { GATE } });
  const [hello, now] = [plugin.lookup('hello', text), plugin.lookup('now', text)];
  const first = hello();
  await now();
  folder.write({ 'greet.ts': slow('new') });
  await plugin.refresh();
  assert.equal(await now(), 'new');
  const second = hello();
  await now();
  const closed = plugin.close();
  await assert.rejects(now(), { code: 'ERR_MIDFLIGHT_PLUGIN_CLOSED' });
  const gate = new BroadcastChannel(`gate-${GATE}`);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a BroadcastChannel knows none.
  gate.postMessage('open');
  gate.close();
  assert.deepEqual(await Promise.all([first, second]), ['old', 'new']);
  await closed;
});

test('states go from thread to thread and are migrated; a migration that fails leaves the thread before serving', async (t) => {
  const counter = (options: string, body: string): string =>
    `import { state } from 'midflight';\nconst seen = state('seen', () => ({ count: 0 })${options});\nexport const next = () => ${body};\n`;
  const folder = createPluginFolder(t, { 'count.ts': counter('', '++seen.count') });
  const plugin = await folder.openThread('count', { probationMs: 60_000 });
  const next = plugin.lookup('next', fn<() => number>());
  assert.deepEqual([await next(), await next()], [1, 2]);
  folder.write({ 'count.ts': counter('', '(seen.count += 10)') });
  await plugin.refresh();
  assert.equal(await next(), 12);

  // It can be migrated while it is prepared, and not any more when it is committed.
  const failing = `, { version: 1, migrate: (older) => { if (++tries > 1) throw new Error('too often'); return older; } }`;
  const total = 'seen.total';
  folder.write({ 'count.ts': `let tries = 0;\n${counter(failing, '-1')}` });
  await assert.rejects(plugin.refresh(), {
    code: 'ERR_MIDFLIGHT_STATE_MIGRATION_FAILED',
    message: /too often/,
  });
  assert.equal(await next(), 22);

  const migrate = `, { version: 1, migrate: (older) => ({ total: older.count }) }`;
  folder.write({ 'count.ts': counter(migrate, `++${total}`) });
  await plugin.refresh();
  assert.equal(await next(), 23);
});

test('what is called while states go over waits for that, and nothing written before is lost', async (t) => {
  const counter = (version: number): string =>
    `import { state } from 'midflight';\nconst seen = state('seen', () => ({ count: 0 }));\nexport const next = () => [++seen.count, ${version}];\n`;
  const folder = createPluginFolder(t, { 'count.ts': counter(0) });
  const plugin = await folder.openThread('count', { probationMs: 60_000 });
  const next = plugin.lookup('next', fn<() => [number, number]>());
  let isOver = false;
  const counted: number[] = [];
  const versions = new Set<number>();
  const calling = (async () => {
    while (!isOver) {
      const [count, version] = await next();
      counted.push(count);
      versions.add(version);
    }
  })();
  for (let version = 1; version <= 3; version++) {
    folder.write({ 'count.ts': counter(version) });
    await plugin.refresh();
    await next();
    counted.push(-1);
  }
  isOver = true;
  await calling;
  const own = counted.filter((count) => count !== -1);
  assert.equal(own.length + 3, (await next())[0] - 1);
  assert.deepEqual([...versions], [0, 1, 2, 3]);
});

test('plugins in threads require each other by way of the host', async (t) => {
  const friend = (name: string, other: string): string => `
    import { definePlugin, fn } from 'midflight/plugin';
    let ask, known, plugin;
    export default definePlugin({
      version: '1.0.0', requires: { ${other}: '^1.0.0' },
      setup: ({ plugins }) => { plugin = plugins.${other}; ask = plugin.lookup('name', fn()); },
    });
    export const title = 'Dr. ${name}';
    export const name = (suffix) => '${name}' + suffix;
    export const both = async () => name('!') + ' and ' + await ask('?');
    export const other = () => [plugin.name, plugin.version, plugin.lookup('title', anything)];
    export const wrong = () => plugin.lookup('nobody', fn());
    const anything = { '~standard': { version: 1, vendor: 'x', validate: (value) => ({ value }) } };`;
  const folder = createPluginFolder(t, { 'a.ts': friend('a', 'b'), 'b.ts': friend('b', 'a') });
  const a = await folder.openThread('a');
  const b = await folder.openThread('b');
  const both = async (plugin: ThreadPlugin): Promise<string> => plugin.lookup('both', text)();
  assert.deepEqual([await both(a), await both(b)], ['a! and b?', 'b! and a?']);
  assert.deepEqual(await a.lookup('other', fn<() => unknown>())(), ['b', '1.0.0', 'Dr. b']);
  await assert.rejects(a.lookup('wrong', text)(), {
    code: 'ERR_MIDFLIGHT_PLUGIN_MISMATCH',
    message: /"nobody".*exports nothing/,
  });
});

test('the same plugin in a thread and in this one are two, each with its own state', async (t) => {
  const folder = createPluginFolder(t, {
    'count.ts': `import { state } from 'midflight';\nconst seen = state('seen', () => ({ count: 0 }));\nexport const next = () => ++seen.count;\n`,
  });
  const here: Plugin = await folder.open('count');
  const there = await folder.openThread('count');
  const next = fn<() => number>();
  assert.equal(here.lookup('next', next)(), 1);
  assert.equal(here.lookup('next', next)(), 2);
  assert.equal(await there.lookup('next', next)(), 1);
});
