/** The examples of plugins, as their READMEs tell: by themselves under load, and under Midflight. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { createTestApp, findFreePort, readRepositoryFile, repository, waitForLog } from '../support/app.ts';

interface Example {
  readonly directory: string;
  get(path: string): Promise<string>;
  printed(pattern: RegExp): Promise<void>;
}

/** A copy of the example, which finds this Midflight as a package, run by plain node. */
async function runPlain(t: TestContext, name: string): Promise<Example> {
  const directory = mkdtempSync(path.join(tmpdir(), `midflight-${name}-`));
  t.after(() => rmSync(directory, { recursive: true }));
  cpSync(path.join(repository, 'examples', name), directory, { recursive: true });
  symlinkSync(path.join(repository, 'node_modules'), path.join(directory, 'node_modules'));
  const port = await findFreePort();
  const env = { ...process.env, PORT: String(port) };
  const child = spawn(process.execPath, ['server.ts'], {
    cwd: directory,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill());
  let log = '';
  child.stdout.on('data', (chunk: Buffer) => {
    log += chunk.toString();
    child.emit('printed');
  });
  const get = async (at: string): Promise<string> => (await fetch(`http://127.0.0.1:${port}${at}`)).text();
  const printed = async (pattern: RegExp): Promise<void> => waitForLog(child, () => log, pattern);
  for (;;) {
    assert.equal(child.exitCode, null, log);
    const isUp = await get('/0').then(
      () => true,
      () => false,
    );
    if (isUp) return { directory, get, printed };
  }
}

test('plugins-rules: rules are replaced under load, a failing one gives way, and what a rule remembers goes on', async (t) => {
  const { directory, get, printed } = await runPlain(t, 'plugins-rules');
  const answers: string[] = [];
  let isOver = false;
  const clients = Array.from({ length: 8 }, async () => {
    while (!isOver) answers.push(await get('/100'));
  });
  const bring = (name: string): void =>
    cpSync(path.join(directory, 'ideas', name), path.join(directory, 'rules', name));
  bring('10-discount.ts');
  await printed(/10-discount has changed/);
  bring('20-shipping.ts');
  await printed(/20-shipping is as it was before: nobody ships this/);
  isOver = true;
  await Promise.all(clients);
  const known = /^(?:90|95|80|85) by 10-discount(?:, 20-shipping)?\n$/;
  assert.deepEqual(
    answers.filter((answer) => !known.test(answer)),
    [],
  );
  assert.equal(answers.filter((answer) => !answer.includes('20-shipping')).length, 3);
  const after = [await get('/100'), await get('/100'), await get('/100')];
  assert.deepEqual(after.toSorted(), [
    '80 by 10-discount, 20-shipping\n',
    ...Array(2).fill('85 by 10-discount, 20-shipping\n'),
  ]);
});

test('plugin-watch: a file is a plugin, and what is no plugin is refused', async (t) => {
  const { directory, get, printed } = await runPlain(t, 'plugin-watch');
  assert.equal(await get('/hello/Ada'), 'Hello, Ada!\n');
  const file = path.join(directory, 'plugins/bye.ts');
  writeFileSync(file, 'export const hello = (name: string): string => `Bye, ${name}!`;\n');
  await printed(/added bye/);
  assert.equal(await get('/bye/Ada'), 'Bye, Ada!');
  writeFileSync(file, 'export const hello = 1;\n');
  await printed(/rejected bye: .*a function was expected, and it is a number/);
  assert.equal(await get('/bye/Ada'), 'Bye, Ada!');
  unlinkSync(file);
  await printed(/removed bye/);
  assert.equal(await get('/bye/Ada'), 'there is hello');
});

test('plugin-watch: under Midflight a swap of the host keeps its plugins, and a handoff opens them anew', async (t) => {
  const app = await createTestApp({
    from: 'examples/plugin-watch',
    files: {},
    config: { entry: 'server.ts', probationMs: 200 },
  });
  t.after(() => app.dispose());
  await app.start();
  app.write({ 'plugins/hello.ts': 'export const hello = (name: string): string => `Hallo ${name}`;\n' });
  await app.printed(/swapped hello/);
  assert.equal(await app.get('/hello/Ada'), 'Hallo Ada');
  const server = readRepositoryFile('examples/plugin-watch/server.ts');
  for (const way of ['swap', 'handoff']) {
    app.commit({ 'server.ts': server.replace('there is', `after a ${way} there is`) });
    const { json } = await app.midflight('deploy', '--json', '--path', way);
    assert.deepEqual([json['result'], json['path']], ['committed', way], JSON.stringify(json));
    assert.equal(await app.get('/nobody'), `after a ${way} there is hello`);
    assert.equal(await app.get('/hello/Ada'), 'Hallo Ada');
  }
  app.write({ 'plugins/hello.ts': 'export const hello = (name: string): string => `Ciao ${name}`;\n' });
  while ((await app.get('/hello/Ada')) !== 'Ciao Ada') await app.printed(/swapped hello/);
});

test('plugins-rules: under Midflight what a rule remembers goes to the next process', async (t) => {
  const app = await createTestApp({
    from: 'examples/plugins-rules',
    files: {},
    config: { entry: 'server.ts', probationMs: 200 },
  });
  t.after(() => app.dispose());
  await app.start();
  const orders = [await app.get('/100'), await app.get('/100')];
  const { json } = await app.midflight('deploy', '--json', '--dirty', '--path', 'handoff');
  assert.equal(json['result'], 'committed', JSON.stringify(json));
  orders.push(await app.get('/100'), await app.get('/100'));
  assert.deepEqual(
    orders.map((answer) => Number.parseInt(answer, 10)),
    [95, 95, 90, 95],
  );
});
