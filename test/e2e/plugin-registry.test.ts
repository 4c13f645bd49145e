/** The registry by its verbs, beside a service that has a plugin of it open. */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createTestApp, type TestApp } from '../support/app.ts';

const server = `
import { createServer } from 'node:http';
import { fn, openPlugin } from 'midflight/plugin';
const greet = await openPlugin('greet', { version: '<2' });
const hello = greet.lookup('hello', fn());
greet.on('swap', ({ version }) => console.log('plugin is ' + version + '.'));
greet.on('rejected', ({ error }) => console.log('plugin stays: ' + error.code));
createServer((request, response) => response.end(hello('Ada'))).listen(Number(process.env.PORT), '127.0.0.1');
`;

const plugin = (version: string, word: string): Record<string, string> => ({
  'greet/package.json': JSON.stringify({ name: 'greet', version, type: 'module' }),
  'greet/index.js': `import { word } from './word.js';\nexport const hello = (name) => word + ' ' + name;\n`,
  'greet/word.js': `export const word = '${word}';\n`,
});

async function startApp(t: TestContext): Promise<TestApp> {
  const app = await createTestApp({ files: { 'server.js': server }, config: { entry: 'server.js' } });
  t.after(() => app.dispose());
  return app;
}

test('a plugin is published, used, rolled back and unpublished by the command line, and the service follows without a restart', async (t) => {
  const app = await startApp(t);
  const run = async (...args: string[]): ReturnType<TestApp['midflight']> =>
    app.midflight('plugin', ...args, '--json');
  app.write(plugin('1.0.0', 'hello'));
  const first = await run('publish', 'greet');
  assert.deepEqual(
    [first.json['result'], first.json['inUse'], first.exitCode],
    ['published', true, 0],
    first.stderr,
  );
  await app.start();
  const [worker] = (await app.status()).workers;
  assert.equal(await app.get(), 'hello Ada');

  app.write(plugin('1.1.0', 'good day'));
  const followed = app.printed(/plugin is 1\.1\.0\./);
  assert.equal((await app.midflight('plugin', 'publish', 'greet')).exitCode, 0);
  await followed;
  assert.equal(await app.get(), 'good day Ada');
  const back = app.printed(/plugin is 1\.0\.0\./);
  assert.deepEqual((await run('rollback', 'greet')).json, {
    name: 'greet',
    version: '1.0.0',
    previous: '1.1.0',
  });
  await back;
  assert.equal(await app.get(), 'hello Ada');

  app.write({
    'greet/index.js': 'export const other = 1;',
    'greet/package.json': '{ "version": "1.2.0", "type": "module" }',
  });
  const breaking = await run('publish', 'greet');
  const { error } = breaking.json as { error: { code: string; message: string } };
  assert.deepEqual([breaking.exitCode, error.code], [3, 'ERR_MIDFLIGHT_PLUGIN_BREAKING']);
  assert.match(error.message, /"hello" is gone/);
  assert.equal((await run('unpublish', 'greet@1.0.0')).exitCode, 3);
  assert.equal((await run('unpublish', 'greet@1.1.0')).json['inUse'], '1.0.0');
  assert.match((await app.midflight('plugin', 'list')).stdout, /^greet {2}1\.0\.0 {2}1\.0\.0$/m);
  assert.match((await app.midflight('plugin', 'info', 'greet')).stdout, /exports {3}hello \(function\)/);
  assert.equal((await run('verify')).exitCode, 0);
  assert.equal((await run('use', '../greet@1.0.0')).exitCode, 2);
  assert.equal((await run('use', 'nobody@1.0.0')).exitCode, 2);
  assert.equal((await app.status()).workers[0]?.pid, worker?.pid);
  assert.match((await app.midflight('audit')).stdout, /plugin unpublish/);
});

test('where keys are trusted, what is not signed is refused by publish, use and the service', async (t) => {
  const app = await startApp(t);
  const run = async (...args: string[]): ReturnType<TestApp['midflight']> => app.midflight(...args, '--json');
  await run('keygen', '--out', 'key');
  app.write(plugin('1.0.0', 'hello'));
  await run('plugin', 'publish', 'greet', '--sign', 'key');
  await app.start();
  app.write(plugin('1.1.0', 'unsigned'));
  await run('trust', 'add', 'key.pub');
  for (const args of [
    ['publish', 'greet'],
    ['publish', 'greet', '--no-use'],
    ['use', 'greet@1.1.0'],
  ] as const) {
    const { exitCode } = await run('plugin', ...args);
    assert.equal(exitCode, args.includes('--no-use' as never) ? 0 : 3, args.join(' '));
  }
  // Somebody who can write the registry, and has no key.
  const refused = app.printed(/plugin stays: ERR_MIDFLIGHT_PLUGIN_UNSIGNED/);
  app.write({ '.midflight/plugins/pointers/greet.json': '{ "version": "1.1.0", "before": [] }' });
  await refused;
  assert.equal(await app.get(), 'hello Ada');
  const followed = app.printed(/plugin is 1\.1\.0\./);
  const signed = await run('plugin', 'publish', 'greet', '--sign', 'key');
  assert.equal(signed.json['result'], 'unchanged');
  await followed;
  assert.equal(await app.get(), 'unsigned Ada');
});
