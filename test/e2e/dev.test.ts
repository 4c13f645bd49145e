/** `midflight dev`: real processes, real files, real requests. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { startLoad } from '../../scripts/load/load.ts';
import { repository } from '../support/app.ts';
import { createKeptConnection, createTestDev, startAtTerminal, type TestDev } from '../support/dev.ts';
import { answer, files, server, word } from '../support/dev-app.ts';

/** Python serves on the socket that it inherits, from what the build has put together. */
const program = `
import http.server, socket, sys
text = open(sys.argv[1]).read().strip()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = ('{"version": "%s", "versionAfter": "%s"}' % (text, text)).encode()
        self.send_response(200)
        self.send_header('content-length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False
server = Server(('127.0.0.1', 0), Handler, bind_and_activate=False)
server.socket = socket.socket(fileno=3)
import signal, threading
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
server.server_close()
`;

async function startDev(t: TestContext, tree: Readonly<Record<string, string>> = files): Promise<TestDev> {
  const dev = await createTestDev(tree);
  t.after(() => dev.dispose());
  dev.start('server.ts');
  await dev.next('serving');
  return dev;
}

function git(dev: TestDev, ...args: string[]): void {
  const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@example.test'];
  execFileSync('git', [...identity, ...args], { cwd: dev.directory, stdio: 'ignore' });
}

test('a save swaps: state and the open connection are kept, and the line says what was evaluated', async (t) => {
  const dev = await startDev(t);
  const client = createKeptConnection(dev.origin);
  t.after(() => client.close());
  assert.equal(await client.get(), 'one a');
  dev.write({ 'answer.ts': answer('two') });
  const swapped = await dev.next('swapped');
  assert.deepEqual(swapped.changed, ['answer.ts']);
  assert.deepEqual(swapped.evaluated, ['answer.ts', 'server.ts']);
  assert.ok(swapped.durationMs > 0);
  assert.equal(await client.get(), 'two a');
  assert.equal(await client.get('/visits'), '3');
  assert.equal(client.connectionCount(), 1);
});

test('a syntax error is shown with file, line, code and the imports that lead there, and the old code answers', async (t) => {
  const dev = await startDev(t);
  dev.write({ 'word.ts': 'export const fine = 1;\nexport const word: string = ;\n' });
  const { error, importChain } = await dev.next('failed');
  assert.match(error.message, /^word\.ts:2:29: /);
  assert.match(error.message, /export const word: string = ;/);
  assert.deepEqual(importChain, ['server.ts', 'answer.ts', 'word.ts']);
  assert.equal(await dev.get(), 'one a');
  dev.write({ 'word.ts': word('b') });
  await dev.next('swapped');
  assert.equal(await dev.get(), 'one b');
});

test('a file that is put back after an error is said to be mended', async (t) => {
  const dev = await startDev(t);
  dev.write({ 'word.ts': 'export const' });
  await dev.next('failed');
  dev.write({ 'word.ts': word('a') });
  await dev.next('mended');
  assert.equal(await dev.get(), 'one a');
});

test('an import that nothing exports, or that is not there, is told; the file that it waits for is enough', async (t) => {
  const dev = await startDev(t);
  dev.write({ 'answer.ts': answer('two').replace('./word.ts', './new/word.ts') });
  const missing = await dev.next('failed');
  assert.equal(missing.error.code, 'ERR_MIDFLIGHT_MODULE_UNRESOLVED');
  dev.write({ 'new/word.ts': 'export const other = 1;\n' });
  const unexported = await dev.next('failed');
  assert.equal(unexported.error.code, 'ERR_MIDFLIGHT_EXPORT_MISSING');
  assert.equal(await dev.get(), 'one a');
  dev.write({ 'new/word.ts': word('new') });
  await dev.next('swapped');
  assert.equal(await dev.get(), 'two new');
});

test('code that throws while it is evaluated is told with its stack, once, and the old code answers', async (t) => {
  const dev = await startDev(t);
  dev.write({ 'word.ts': `${word('b')}\nthrow new Error('not today');\n` });
  const { error, importChain } = await dev.next('failed');
  assert.match(error.message, /not today[\s\S]*word\.ts:3/);
  assert.deepEqual(importChain, ['server.ts', 'answer.ts', 'word.ts']);
  assert.equal(await dev.get(), 'one a');
  dev.write({ 'word.ts': word('c') });
  await dev.next('swapped');
  assert.equal(dev.all('failed').length, 1);
});

test('a burst of 200 saves within a second ends with the last one', async (t) => {
  const dev = await startDev(t);
  for (let count = 1; count <= 200; count++) {
    dev.write({ 'word.ts': word(`burst ${count}`) });
    if (count % 4 === 0) await new Promise(setImmediate);
  }
  await dev.answers('one burst 200');
  assert.deepEqual(dev.all('failed'), []);
});

test('an atomic save, written beside and renamed over, is a save', async (t) => {
  const dev = await startDev(t);
  for (const text of ['b', 'c', 'd']) {
    const temporary = path.join(dev.directory, 'word.ts.tmp');
    writeFileSync(temporary, word(text));
    renameSync(temporary, path.join(dev.directory, 'word.ts'));
    await dev.next('swapped');
    assert.equal(await dev.get(), `one ${text}`);
  }
});

test('a module that is deleted and written again is taken in, also when its folder goes with it', async (t) => {
  const dev = await startDev(t, {
    ...files,
    'answer.ts': answer('one').replace('./word.ts', './deep/word.ts'),
    'deep/word.ts': word('a'),
  });
  for (const text of ['b', 'c']) {
    rmSync(path.join(dev.directory, 'deep'), { recursive: true });
    dev.write({ 'deep/word.ts': word(text) });
    await dev.answers(`one ${text}`);
  }
  rmSync(path.join(dev.directory, 'deep'), { recursive: true });
  await dev.next('failed');
  assert.equal(await dev.get(), 'one c');
  dev.write({ 'deep/word.ts': word('d') });
  await dev.answers('one d');
});

test('git stash and git switch of many files end in the tree that git has left, and say nothing of what was between', async (t) => {
  const names = Array.from({ length: 40 }, (_, index) => `part${index}`);
  const parts = (text: string): Record<string, string> =>
    Object.fromEntries(names.map((name) => [`${name}.ts`, `export const ${name}: string = '${text}';\n`]));
  const answerOfParts = `${names.map((name) => `import { ${name} } from './${name}.ts';`).join('\n')}
export const answer = (): string => [...new Set([${names.join(', ')}])].join(' and ');\n`;
  const dev = await createTestDev({ 'server.ts': server, 'answer.ts': answerOfParts, ...parts('main') });
  t.after(() => dev.dispose());
  git(dev, 'init', '--quiet', '--initial-branch=main');
  git(dev, 'add', '--all');
  git(dev, 'commit', '--quiet', '--message', 'main');
  git(dev, 'switch', '--quiet', '--create', 'other');
  dev.write(parts('other'));
  git(dev, 'commit', '--quiet', '--all', '--message', 'other');
  dev.start('server.ts');
  await dev.next('serving');
  assert.equal(await dev.get(), 'other');
  git(dev, 'switch', '--quiet', 'main');
  await dev.answers('main');
  dev.write(parts('stashed'));
  await dev.answers('stashed');
  git(dev, 'stash', '--quiet');
  await dev.answers('main');
  git(dev, 'stash', 'pop', '--quiet');
  await dev.answers('stashed');
  assert.deepEqual(dev.all('failed'), []);
});

test('another package.json hands off, says why, and no request fails', async (t) => {
  const versioned = `
import http from 'node:http';
import { readFileSync } from 'node:fs';
const version = JSON.parse(readFileSync('package.json', 'utf8')).version;
http.createServer({ keepAliveTimeout: 600_000 }, (_, response) => response.end(JSON.stringify({ version, versionAfter: version }))).listen(Number(process.env.PORT), '127.0.0.1');
`;
  const dev = await startDev(t, { 'server.ts': versioned, 'package.json': '{ "version": "1" }' });
  const load = startLoad({ origin: dev.origin, clients: { keepAlive: 4, newConnection: 2 } });
  t.after(() => load.stop());
  await load.waitForVersion('1');
  dev.write({ 'package.json': '{ "version": "2" }' });
  const { reasons } = await dev.next('handoff');
  assert.deepEqual(reasons, ['package.json differs']);
  await dev.next('handed-off');
  await load.waitForVersion('2');
  const { failures } = await load.stop();
  assert.deepEqual(failures, []);
});

test('a program that is not Node is built and handed off on save, and no request fails', async (t) => {
  const dev = await createTestDev({ 'program.py': program, 'text.txt': 'one\n' });
  t.after(() => dev.dispose());
  const config = {
    command: ['python3', './program.py', 'built.txt'],
    listen: [`127.0.0.1:${dev.port}`],
    build: 'grep -v broken text.txt > built.txt',
  };
  dev.write({ 'midflight.config.json': JSON.stringify(config) });
  dev.start();
  await dev.next('serving');
  const load = startLoad({ origin: dev.origin, clients: { newConnection: 2 } });
  t.after(() => load.stop());
  await load.waitForVersion('one');
  dev.write({ 'text.txt': 'two\n' });
  assert.deepEqual((await dev.next('building')).changed, ['text.txt']);
  await dev.next('handed-off');
  await load.waitForVersion('two');
  dev.write({ 'text.txt': 'broken\n' });
  assert.equal((await dev.next('handoff-failed')).error.code, 'ERR_MIDFLIGHT_BUILD_FAILED');
  assert.match(await dev.get(), /two/);
  dev.write({ 'text.txt': 'three\n' });
  await dev.next('handed-off');
  await load.waitForVersion('three');
  assert.deepEqual((await load.stop()).failures, []);
  assert.equal(dev.all('building').length, 4);
});

test('a change that needs a new process hands off with the reason of the plan', async (t) => {
  const dev = await startDev(t);
  dev.write({
    'word.ts': `import { Worker } from 'node:worker_threads';\n${word('b')}export const start = (): unknown => new Worker('x');\n`,
  });
  const { reasons } = await dev.next('handoff');
  assert.match(reasons.join(), /word\.ts:3 would be evaluated again and starts worker threads/);
  await dev.next('handed-off');
  await dev.answers('one b');
});

test('what is saved while a process is started is in it', async (t) => {
  const dev = await startDev(t, { ...files, 'package.json': '{}' });
  dev.write({ 'package.json': '{ "version": "2" }' });
  await dev.next('handoff');
  dev.write({ 'word.ts': word('meanwhile') });
  await dev.next('handed-off');
  await dev.answers('one meanwhile');
});

test('a handoff takes the states along, and says which begin anew', async (t) => {
  const dev = await startDev(t, {
    'package.json': '{}',
    'server.ts': `
import http from 'node:http';
import { state } from 'midflight';
const count = state('count', () => ({ value: 0 }));
const tasks = state('tasks', () => ({ run: () => 1 }));
http.createServer((_, response) => response.end(String(++count.value + tasks.run()))).listen(Number(process.env.PORT), '127.0.0.1');
`,
  });
  assert.deepEqual([await dev.get(), await dev.get()], ['2', '3']);
  dev.write({ 'package.json': '{ "version": "2" }' });
  const { message } = await dev.next('log');
  assert.match(message, /^the state "tasks" begins anew: .*can't be copied/);
  await dev.next('handed-off');
  assert.equal(await dev.get(), '4');
});

test('a handoff that fails leaves the process that serves, and is made when it is mended', async (t) => {
  const dev = await startDev(t, { ...files, 'midflight.config.json': '{}' });
  dev.write({ 'midflight.config.json': '{ "entry": "' });
  const { error } = await dev.next('handoff-failed');
  assert.equal(error.code, 'ERR_MIDFLIGHT_CONFIG_UNREADABLE');
  assert.equal(await dev.get(), 'one a');
  dev.write({ 'midflight.config.json': '{ "drainTimeoutMs": 1000 }' });
  await dev.next('handed-off');
  assert.equal(await dev.get(), 'one a');
});

test('a file that a module reads by its own place is swapped for; one that the app writes itself is left alone in the end', async (t) => {
  const dev = await startDev(t, {
    'page.html': 'first',
    'server.ts': `
import http from 'node:http';
import { readFileSync, writeFileSync } from 'node:fs';
const page = readFileSync(new URL('page.html', import.meta.url), 'utf8');
if (page === 'third') writeFileSync(new URL('data.txt', import.meta.url), String(Math.random()));
http.createServer((_, response) => response.end(page)).listen(Number(process.env.PORT), '127.0.0.1');
`,
  });
  dev.write({ 'page.html': 'second' });
  const { changed, evaluated } = await dev.next('swapped');
  assert.deepEqual([changed, evaluated], [['page.html'], ['server.ts']]);
  assert.equal(await dev.get(), 'second');
  dev.write({ 'page.html': 'third' });
  const { message } = await dev.next('log');
  assert.match(message, /^data\.txt changes again and again/);
});

test('keys hand off, undo, show the history and quit', async (t) => {
  const dev = await createTestDev(files);
  t.after(() => dev.dispose());
  const terminal = startAtTerminal(dev, 'server.ts');
  t.after(() => terminal.close());
  await terminal.shows(/serving 127/);
  dev.write({ 'word.ts': word('b') });
  await terminal.shows(/swapped word\.ts: 3 modules evaluated \(answer\.ts, server\.ts, word\.ts\) in/);
  terminal.press('u');
  await terminal.shows(/undone/);
  assert.equal(await dev.get(), 'one a');
  dev.write({ 'answer.ts': answer('two') });
  await terminal.shows(/swapped answer\.ts, word\.ts/);
  assert.equal(await dev.get(), 'two b');
  terminal.press('r');
  await terminal.shows(/handing off to a new process: you asked for it[\s\S]*handed off in/);
  terminal.press('h');
  await terminal.shows(/\n {2}\d\d:\d\d:\d\d {2}.*swapped/);
  terminal.press('q');
  assert.equal(await terminal.ended, 0);
});

test('types are checked after a swap with the code around the error, and the code runs all the same', async (t) => {
  const dev = await createTestDev({
    ...files,
    'answer.ts': "import { word } from './word.ts';\nexport const answer = (url: string): string => word;\n",
    'tsconfig.json': JSON.stringify({
      compilerOptions: {
        strict: true,
        module: 'nodenext',
        target: 'es2024',
        allowImportingTsExtensions: true,
        noEmit: true,
        types: ['node'],
      },
    }),
  });
  symlinkSync(path.join(repository, 'node_modules'), path.join(dev.directory, 'node_modules'));
  t.after(() => dev.dispose());
  dev.start('server.ts');
  await dev.next('serving');
  dev.write({ 'word.ts': 'export const word: string = "b";\nexport const count: number = word;\n' });
  const { errors } = await dev.next('types');
  assert.deepEqual(
    errors.map(({ path: at, line, column }) => [at, line, column]),
    [['word.ts', 2, 14]],
  );
  assert.deepEqual(errors[0]?.importChain, ['server.ts', 'answer.ts', 'word.ts']);
  assert.match(errors[0]?.frame ?? '', /2 \| export const count: number = word;\n.*\^/);
  await dev.answers('b');
  dev.write({ 'word.ts': word('right') });
  await dev.next('types-right');
});
