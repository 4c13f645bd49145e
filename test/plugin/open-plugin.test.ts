/** Plugins in a plain process: opened, looked up, swapped, refused, taken back, closed. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { fn, type Plugin } from '../../src/plugin.ts';
import { createPluginFolder } from './plugin-folder.ts';

const greet = (word: string): string =>
  `export const hello = (name: string): string => \`${word} \${name}\`;\n`;
const hello = fn<(name: string) => string>();

async function nextOf(plugin: Plugin, event: 'swap' | 'rejected' | 'rolled-back'): Promise<unknown> {
  return new Promise((resolve) => plugin.on(event, resolve));
}

test('what was looked up calls the newest version, and stays the same function', async (t) => {
  const folder = createPluginFolder(t, { 'greet.ts': greet('hello') });
  const plugin = await folder.open('greet');
  const call = plugin.lookup('hello', hello);
  assert.equal(call('Ada'), 'hello Ada');
  folder.write({ 'greet.ts': greet('goodbye') });
  await plugin.refresh();
  assert.equal(call('Ada'), 'goodbye Ada');
});

test('a saved file is swapped in by itself, and the host hears of it', async (t) => {
  const folder = createPluginFolder(t, { 'greet.ts': greet('hello') });
  const plugin = await folder.open('greet.ts', { watch: true });
  const call = plugin.lookup('hello', hello);
  const swapped = nextOf(plugin, 'swap');
  folder.write({ 'greet.ts': greet('goodbye') });
  assert.deepEqual(await swapped, { version: null, previous: null });
  assert.equal(call('Ada'), 'goodbye Ada');
});

test('a saved version that is not let in is told with its number, as far as that is known', async (t) => {
  const versioned = (version: string, more: string): string =>
    `import { definePlugin } from 'midflight/plugin';\n${more}\nexport default definePlugin({ version: '${version}' });\n`;
  const folder = createPluginFolder(t, { 'greet.ts': versioned('1.0.0', greet('hello')) });
  const plugin = await folder.open('greet.ts', { watch: true });
  plugin.lookup('hello', hello);
  for (const [version, text] of [
    ['1.1.0', versioned('1.1.0', 'export const hallo = 1;')],
    [null, versioned('1.2.0', 'export const hello = ;')],
  ] as const) {
    const rejected = nextOf(plugin, 'rejected') as Promise<{ version: string | null }>;
    folder.write({ 'greet.ts': text });
    assert.equal((await rejected).version, version);
  }
});

test('a call in flight ends in the version that it began in', async (t) => {
  const slow = (word: string): string =>
    `export const hello = async (gate: Promise<void>) => { await gate; return word(); };\nconst word = () => '${word}';\n`;
  const folder = createPluginFolder(t, { 'greet.ts': slow('old') });
  const plugin = await folder.open('greet');
  const call = plugin.lookup('hello', fn<(gate: Promise<void>) => Promise<string>>());
  const gate = Promise.withResolvers<void>();
  const before = call(gate.promise);
  folder.write({ 'greet.ts': slow('new') });
  await plugin.refresh();
  const after = call(gate.promise);
  gate.resolve();
  assert.deepEqual(await Promise.all([before, after]), ['old', 'new']);
});

test('what does not hold to a contract is refused, with what was expected and what there is', async (t) => {
  const folder = createPluginFolder(t, { 'greet.ts': `${greet('hello')}export const limit = 'high';\n` });
  const plugin = await folder.open('greet');
  const refused = (name: string, contract: Parameters<Plugin['lookup']>[1], message: RegExp): void => {
    assert.throws(() => plugin.lookup(name, contract), { code: 'ERR_MIDFLIGHT_PLUGIN_MISMATCH', message });
  };
  refused('hallo', hello, /exports nothing of that name/);
  refused('limit', hello, /a function was expected, and it is a string/);
  refused('hello', z.number(), /a value was expected, and it is a function/);
  refused('limit', z.number(), /expected number, received string/);
  assert.equal(plugin.lookup('limit', z.string()), 'high');
});

test('a new version that breaks a contract, throws, or is half written is refused, and the one before goes on', async (t) => {
  const folder = createPluginFolder(t, { 'greet.ts': greet('hello') });
  const plugin = await folder.open('greet');
  const call = plugin.lookup('hello', hello);
  const refused = async (text: string, error: object): Promise<void> => {
    folder.write({ 'greet.ts': text });
    await assert.rejects(plugin.refresh(), error);
    assert.equal(call('Ada'), 'hello Ada');
  };
  await refused('export const other = 1;\n', { code: 'ERR_MIDFLIGHT_PLUGIN_MISMATCH' });
  await refused(`${greet('new')}throw new Error('not today');\n`, /not today/);
  await refused('export const hello = (', { code: 'ERR_MIDFLIGHT_SYNTAX' });
  await refused('', { code: 'ERR_MIDFLIGHT_PLUGIN_INVALID', message: /is empty/ });
  const ill = `import { definePlugin } from 'midflight/plugin';\n${greet('ill')}`;
  await refused(`${ill}export default definePlugin({ setup() { throw new Error('no database'); } });\n`, {
    code: 'ERR_MIDFLIGHT_PLUGIN_SETUP_FAILED',
    message: /no database/,
  });
  await refused(`${ill}export default definePlugin({ health: () => false });\n`, {
    code: 'ERR_MIDFLIGHT_PLUGIN_UNHEALTHY',
  });
  await refused(`${ill}export default definePlugin({ nmae: 'x' });\n`, {
    code: 'ERR_MIDFLIGHT_PLUGIN_INVALID',
    message: /knows no "nmae"/,
  });
});

test('arguments and results are held to their schemas', async (t) => {
  const folder = createPluginFolder(t, {
    'math.ts': `export const half = (n: number) => n === 4 ? 'two' : n / 2; export const later = async (n: number) => half(n);`,
  });
  const plugin = await folder.open('math');
  const half = plugin.lookup('half', fn([z.coerce.number()], z.number()));
  const later = plugin.lookup('later', fn([z.number()], z.promise(z.number())));
  assert.equal(half('6'), 3);
  assert.throws(() => half('x'), { code: 'ERR_MIDFLIGHT_PLUGIN_ARGUMENTS_INVALID', message: /argument 1/ });
  assert.throws(() => half(4), { code: 'ERR_MIDFLIGHT_PLUGIN_RESULT_INVALID', message: /received string/ });
  assert.equal(await later(6), 3);
});

test('state outlives versions, and is migrated', async (t) => {
  const counter = (options: string, read: string): string =>
    `import { state } from 'midflight';\nconst seen = state('seen', () => ({ count: 0 })${options});\nexport const next = () => ${read};\n`;
  const folder = createPluginFolder(t, { 'count.ts': counter('', '++seen.count') });
  const plugin = await folder.open('count');
  const next = plugin.lookup('next', fn<() => number>());
  assert.deepEqual([next(), next()], [1, 2]);
  folder.write({ 'count.ts': counter('', '(seen.count += 10)') });
  await plugin.refresh();
  assert.equal(next(), 12);
  const migrate = `, { version: 1, migrate: (older: { count: number }) => ({ total: older.count }) }`;
  folder.write({ 'count.ts': counter(migrate, '++(seen as never as { total: number }).total') });
  await plugin.refresh();
  assert.equal(next(), 13);
});

test('a version that fails when it is called gives way to the one before, and is not let in again', async (t) => {
  const folder = createPluginFolder(t, { 'greet.ts': greet('hello') });
  const plugin = await folder.open('greet', { breaker: { failures: 3 } });
  const call = plugin.lookup('hello', hello);
  folder.write({ 'greet.ts': `export const hello = () => { throw new Error('broken'); };\n` });
  await plugin.refresh();

  const heard = nextOf(plugin, 'rolled-back');
  for (let count = 0; count < 3; count++) assert.throws(() => call('Ada'), /broken/);
  assert.equal(call('Ada'), 'hello Ada');
  assert.match(String(((await heard) as { error: Error }).error), /broken/);
  await assert.rejects(plugin.refresh(), {
    code: 'ERR_MIDFLIGHT_PLUGIN_INVALID',
    message: /not let in again/,
  });
});

test('a plugin that goes on failing rests, and is tried again after that', async (t) => {
  const folder = createPluginFolder(t, {
    'greet.ts': `export const hello = (name: string) => { if (name === 'bad') throw new Error('broken'); return name; };\n`,
  });
  const plugin = await folder.open('greet', { breaker: { failures: 2, restMs: 50 } });
  const call = plugin.lookup('hello', hello);
  assert.throws(() => call('bad'), /broken/);
  assert.equal(call('good'), 'good');
  for (let count = 0; count < 2; count++) assert.throws(() => call('bad'), /broken/);
  assert.throws(() => call('good'), { code: 'ERR_MIDFLIGHT_PLUGIN_SUSPENDED', message: /broken/ });
  for (;;) {
    try {
      assert.equal(call('good'), 'good');
      break;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
});

test('a call that does not answer in time is given up', async (t) => {
  const folder = createPluginFolder(t, { 'greet.ts': `export const hello = () => new Promise(() => {});\n` });
  const plugin = await folder.open('greet', { timeoutMs: 20, drainTimeoutMs: 0 });
  const call = plugin.lookup('hello', fn<() => Promise<void>>());
  await assert.rejects(call(), { code: 'ERR_MIDFLIGHT_PLUGIN_TIMED_OUT' });
});

test('plugins that require each other are opened together, and a range that is not met is refused', async (t) => {
  const friend = (name: string, other: string, range: string, version = '1.0.0'): string => `
    import { definePlugin, fn } from 'midflight/plugin';
    let ask;
    export default definePlugin({
      version: '${version}', requires: { ${other}: '${range}' },
      setup: ({ plugins }) => { ask = plugins.${other}.lookup('name', fn()); },
    });
    export const name = () => '${name} ${version}';
    export const both = () => name() + ' and ' + ask();`;
  const folder = createPluginFolder(t, {
    'a.ts': friend('a', 'b', '^1.0.0'),
    'b.ts': friend('b', 'a', '^1.0.0'),
  });
  const a = await folder.open('a');
  const b = await folder.open('b');
  const [first, second] = [a.lookup('both', fn<() => string>()), b.lookup('both', fn<() => string>())];
  assert.deepEqual([first(), second()], ['a 1.0.0 and b 1.0.0', 'b 1.0.0 and a 1.0.0']);
  folder.write({ 'b.ts': friend('b', 'a', '^1.0.0', '2.0.0') });
  await assert.rejects(b.refresh(), {
    code: 'ERR_MIDFLIGHT_PLUGIN_VERSION_UNSATISFIED',
    message: /b is 2\.0\.0, and plugin a@1\.0\.0 needs \^1\.0\.0/,
  });
  folder.write({ 'b.ts': friend('b', 'a', '^1.0.0', '1.1.0') });
  await b.refresh();
  assert.equal(first(), 'a 1.0.0 and b 1.1.0');
});

test('pin stays with a version, and null follows the newest again', async (t) => {
  const versioned = (version: string): string =>
    `import { definePlugin } from 'midflight/plugin';\nexport default definePlugin({ version: '${version}' });\n${greet(version)}`;
  const folder = createPluginFolder(t, { 'greet.ts': versioned('1.0.0') });
  const plugin = await folder.open('greet');
  const call = plugin.lookup('hello', hello);
  folder.write({ 'greet.ts': versioned('1.1.0') });
  await plugin.refresh();
  await plugin.pin('1.0.0');
  assert.deepEqual([plugin.version, call('Ada')], ['1.0.0', '1.0.0 Ada']);
  await plugin.refresh();
  assert.equal(plugin.version, '1.0.0');
  await assert.rejects(plugin.pin('3.0.0'), {
    code: 'ERR_MIDFLIGHT_PLUGIN_VERSION_UNKNOWN',
    message: /1\.1\.0/,
  });
  assert.equal(plugin.version, '1.0.0');
  await plugin.pin(null);
  assert.equal(plugin.version, '1.1.0');
});

test('a pin ends with who has pinned it', async (t) => {
  const versioned = (version: string): string =>
    `import { definePlugin } from 'midflight/plugin';\nexport default definePlugin({ version: '${version}' });\n`;
  const folder = createPluginFolder(t, { 'greet.ts': versioned('1.0.0') });
  const plugin = await folder.open('greet', { watch: true });
  const other = await folder.open('greet');
  await other.pin('1.0.0');
  folder.write({ 'greet.ts': versioned('1.1.0') });
  await plugin.refresh();
  assert.equal(plugin.version, '1.0.0');
  const swapped = new Promise((resolve) => plugin.on('swap', resolve));
  await other.close();
  assert.deepEqual(await swapped, { version: '1.1.0', previous: '1.0.0' });
  await assert.rejects(other.pin('1.0.0'), { code: 'ERR_MIDFLIGHT_PLUGIN_CLOSED' });
});

test('plugins that require each other end when no host has one of them open', async (t) => {
  const friend = (name: string, other: string): string => `
    import { definePlugin } from 'midflight/plugin';
    export default definePlugin({
      version: '1.0.0', requires: { ${other}: '^1.0.0' },
      dispose: () => (globalThis.friendsGone ??= []).push('${name}'),
    });`;
  const folder = createPluginFolder(t, { 'a.ts': friend('a', 'b'), 'b.ts': friend('b', 'a') });
  const gone = (): unknown => (globalThis as { friendsGone?: unknown }).friendsGone;
  const [a, b] = [await folder.open('a'), await folder.open('b')];
  await a.close();
  assert.equal(gone(), undefined);
  await b.close();
  assert.deepEqual(gone(), ['b', 'a']);
});

test('a plugin that is closed ends what it has started once its calls have ended, and can be called no more', async (t) => {
  const folder = createPluginFolder(t, {
    'tick.ts': `
      import { definePlugin } from 'midflight/plugin';
      export default definePlugin({ dispose: () => events.push('disposed'), setup: ({ signal }) => { signal.onabort = () => events.push('aborted'); } });
      const events = globalThis.pluginEvents ??= [];
      setInterval(() => {}, 1_000);
      export const wait = async (gate) => { await gate; events.push('answered'); };`,
  });
  const events: string[] = ((globalThis as { pluginEvents?: string[] }).pluginEvents = []);
  const plugin = await folder.open('tick');
  const wait = plugin.lookup('wait', fn<(gate: Promise<void>) => Promise<void>>());
  const gate = Promise.withResolvers<void>();
  const waiting = wait(gate.promise);
  const closing = plugin.close();
  assert.throws(() => wait(gate.promise), { code: 'ERR_MIDFLIGHT_PLUGIN_CLOSED' });
  gate.resolve();
  await Promise.all([waiting, closing]);
  assert.deepEqual(events, ['answered', 'aborted', 'disposed']);
});

test('a file that is saved while it is being opened is swapped in, too', async (t) => {
  const waiting = (word: string): string => `
    import { definePlugin } from 'midflight/plugin';
    export default definePlugin({ setup: () => globalThis.whenSaved?.() });
    ${greet(word)}`;
  const folder = createPluginFolder(t, { 'greet.ts': waiting('old') });
  const inSetup = globalThis as { whenSaved?: () => void };
  inSetup.whenSaved = () => {
    delete inSetup.whenSaved;
    folder.write({ 'greet.ts': waiting('new') });
  };
  const plugin = await folder.open('greet', { watch: true });
  const call = plugin.lookup('hello', hello);
  while (call('Ada') !== 'new Ada') await new Promise(setImmediate);
});

test('modules that wait for what never comes are given up', async (t) => {
  const folder = createPluginFolder(t, { 'greet.ts': `await new Promise(() => {});\n${greet('never')}` });
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const tick = setInterval(() => t.mock.timers.tick(1_000), 1);
  t.after(() => clearInterval(tick));
  await assert.rejects(folder.open('greet'), {
    code: 'ERR_MIDFLIGHT_PLUGIN_INVALID',
    message: /not evaluated: it has not ended after 10000 ms/,
  });
});

test('the same that is looked up again is the same', async (t) => {
  const folder = createPluginFolder(t, { 'greet.ts': `${greet('hello')}export const words = { a: 1 };` });
  const plugin = await folder.open('greet');
  const words = z.object({ a: z.number() });
  assert.equal(plugin.lookup('hello', fn()), plugin.lookup('hello', fn<(name: string) => string>()));
  assert.equal(plugin.lookup('words', words), plugin.lookup('words', words));
  const checked = fn([z.string()], z.string());
  assert.notEqual(plugin.lookup('hello', checked), plugin.lookup('hello', fn()));
});

test('a value that is looked up in a plugin that is not there yet is an error, and not nothing', async (t) => {
  const folder = createPluginFolder(t, {
    'a.ts': `import { definePlugin } from 'midflight/plugin';
      export default definePlugin({ version: '1.0.0', requires: { b: '*' } });
      export const word = 'a';`,
    'b.ts': `import { definePlugin } from 'midflight/plugin';
      const any = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };
      export default definePlugin({ version: '1.0.0', requires: { a: '*' }, setup: ({ plugins }) => void plugins.a.lookup('word', any) });`,
  });
  await assert.rejects(folder.open('a'), {
    code: 'ERR_MIDFLIGHT_PLUGIN_SETUP_FAILED',
    message: /Plugin a is called before/,
  });
});
