/** Canaries where secrets are: none of them is found in what Midflight keeps, prints or tells. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { createTestApp, type Files } from '../support/app.ts';

const toFiles = (version: string): Files => ({
  'server.js': `
const { createServer } = require('node:http');
const secrets = [process.env.FILE_SECRET, process.env.SERVICE_SECRET].map((secret) => secret.length);
createServer((request, response) => response.end('${version} ' + secrets)).listen(process.env.PORT, '127.0.0.1');
`,
});

test('no secret of the environment file or of the service is in what a good or a bad deploy leaves or says', async (t) => {
  const canaries = {
    file: `canary-${randomBytes(8).toString('hex')}`,
    service: `canary-${randomBytes(12).toString('hex')}`,
  };
  const config = { entry: 'server.js', envFile: '.env', build: 'env', probationMs: 0 };
  const app = await createTestApp({
    files: toFiles('one'),
    config,
    environment: { SERVICE_SECRET: canaries.service },
  });
  t.after(() => app.dispose());
  const key = `${app.directory}.key`;
  t.after(() => [key, `${key}.pub`].forEach((file) => rmSync(file, { force: true })));
  const said: string[] = [];
  const run = async (...args: string[]): Promise<number | null> => {
    const { exitCode, stdout, stderr } = await app.midflight(...args);
    said.push(stdout, stderr);
    return exitCode;
  };
  const deploy = async (files: Files): Promise<number | null> => {
    app.commit(files);
    return run('deploy', '--sign', key);
  };
  const configure = (changes: object): Files => ({
    'midflight.config.json': JSON.stringify({ ...config, ...changes }),
  });

  app.write({ '.gitignore': '.midflight\n.env\n', '.env': `FILE_SECRET=${canaries.file}\n` });
  await run('keygen', '--out', key);
  await run('trust', 'add', `${key}.pub`);
  await app.start('--sign', key);
  assert.equal(await app.get(), `one ${canaries.file.length},${canaries.service.length}`);
  assert.equal(await deploy(toFiles('two')), 0);
  assert.equal(await deploy(configure({ build: 'env; exit 1' })), 3);
  assert.equal(await deploy({ ...configure({}), 'server.js': 'throw new Error("at the start");' }), 3);
  assert.equal(await deploy({ 'server.js': 'import { gone } from "./gone.js";' }), 3);
  assert.equal(await deploy(configure({ envFile: '.env.missing' })), 2);
  app.commit({ ...configure({}), ...toFiles('three') });
  await run('plan');
  for (const verb of ['status', 'history', 'audit']) await run(verb, '--json');
  assert.equal(await app.get(), `two ${canaries.file.length},${canaries.service.length}`);
  await app.end();

  const home = path.join(app.directory, '.midflight');
  const files = readdirSync(home, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const kept = files.map(({ parentPath, name }) => path.join(parentPath, name));
  assert.ok(
    kept.some((file) => file.endsWith('statement.json')) && kept.some((file) => file.endsWith('audit.log')),
  );
  assert.ok(
    said.some((text) => text.includes('PATH=')),
    'what the build printed was kept',
  );
  for (const canary of Object.values(canaries)) {
    for (const file of kept) assert.ok(!readFileSync(file).includes(canary), `${canary} is in ${file}`);
    for (const text of [...said, app.log()]) assert.ok(!text.includes(canary), text);
  }
});
