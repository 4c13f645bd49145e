/** Bundles that are signed where they are made, and checked where they are deployed before anything of them is installed. */

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { createTestApp, type CommandOutcome, type Files } from '../support/app.ts';

const toFiles = (version: string): Files => ({
  'server.js': `require('node:http').createServer((request, response) => response.end('${version}')).listen(process.env.PORT, '127.0.0.1');\n`,
});
const config = { entry: 'server.js', probationMs: 0 };

const errorOf = ({ json }: CommandOutcome): string | undefined =>
  (json['error'] as { code: string } | null)?.code;

test('a bundle gets in where it is signed for this app, and an older one does not any more', async (t) => {
  const builder = await createTestApp({ files: toFiles('one'), config });
  const app = await createTestApp({ files: toFiles('zero'), config });
  const made = `${builder.directory}.`;
  t.after(async () => {
    await builder.dispose();
    await app.dispose();
    for (const name of ['key', 'key.pub', 'unsigned', 'other', 'one', 'two'])
      rmSync(`${made}${name}`, { force: true });
  });
  const bundle = async (name: string, ...args: string[]): Promise<void> => {
    const { exitCode, stderr } = await builder.midflight('bundle', '--out', `${made}${name}`, ...args);
    assert.equal(exitCode, 0, stderr);
  };
  const sign = ['--sign', `${made}key`];
  const forApp = [...sign, '--app', path.basename(app.directory)];
  await builder.midflight('keygen', '--out', `${made}key`);
  await bundle('unsigned');
  await bundle('other', ...sign);
  await bundle('one', ...forApp);
  builder.commit(toFiles('two'));
  await bundle('two', ...forApp);

  await app.start();
  await app.midflight('trust', 'add', `${made}key.pub`);
  const deploy = async (name: string): Promise<CommandOutcome> =>
    app.midflight('deploy', '--json', '--bundle', `${made}${name}`);
  assert.equal(errorOf(await deploy('unsigned')), 'ERR_MIDFLIGHT_RELEASE_UNSIGNED');
  assert.equal(errorOf(await deploy('other')), 'ERR_MIDFLIGHT_STATEMENT_INVALID');
  const good = await deploy('two');
  assert.deepEqual([good.json['result'], await app.get()], ['committed', 'two'], good.stdout);
  assert.equal(errorOf(await deploy('one')), 'ERR_MIDFLIGHT_STATEMENT_REPLAYED');
  assert.equal(await app.get(), 'two');
});
