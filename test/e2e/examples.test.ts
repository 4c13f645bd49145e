/** The examples: each by itself, and each through the deploy that its README tells of. */

import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { on, once } from 'node:events';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { WebSocket } from 'ws';
import { startLoad } from '../../scripts/load/load.ts';
import {
  createTestApp,
  findFreePort,
  readRepositoryFile,
  repository,
  waitForLog,
  type CommandOutcome,
  type TestApp,
  type TestAppOptions,
} from '../support/app.ts';

const probation = { probationMs: 200 };

async function startExample(
  t: TestContext,
  name: string,
  options: Partial<TestAppOptions> = {},
): Promise<{ app: TestApp; supervisor: ChildProcess }> {
  const app = await createTestApp({ from: `examples/${name}`, files: {}, ...options });
  t.after(() => app.dispose());
  return { app, supervisor: await app.start() };
}

async function deploy(app: TestApp, ...args: string[]): Promise<CommandOutcome['json']> {
  const { json } = await app.midflight('deploy', '--json', ...args);
  assert.equal(json['result'], 'committed', JSON.stringify(json));
  return json;
}

/** Runs an example where it is, without Midflight, until it has printed or served what `isUp` waits for. */
async function runPlain(
  t: TestContext,
  name: string,
  command: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<ChildProcess & { printed(): string }> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    cwd: path.join(repository, 'examples', name),
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill());
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    child.emit('printed');
  });
  return Object.assign(child, { printed: () => text });
}

/** Asks until somebody listens. */
async function askPlain(child: ChildProcess, url: string): Promise<string> {
  while (child.exitCode === null) {
    const answer = await fetch(url).then(
      (response) => response.text(),
      () => null,
    );
    if (answer !== null) return answer;
  }
  throw new Error(`ended with ${child.exitCode}`);
}

test('time-service tells the time, and a swap makes it friendlier', async (t) => {
  const { app } = await startExample(t, 'time-service', { config: probation });
  assert.match(await app.get(), /^\d{4}-\d\d-\d\dT/);
  app.commit({ 'format.ts': readRepositoryFile('examples/time-service/friendlier/format.ts') });
  assert.equal((await deploy(app))['path'], 'swap');
  assert.match(await app.get(), /^It is \d{1,2}:\d\d [AP]M on \w+day \(UTC\)/);
});

test('time-service runs with plain node', async (t) => {
  const port = String(await findFreePort());
  const child = await runPlain(t, 'time-service', [process.execPath, 'server.ts'], { PORT: port });
  assert.match(await askPlain(child, `http://127.0.0.1:${port}/`), /^\d{4}-/);
});

for (const upgrade of ['SIGHUP', 'handoff'] as const) {
  test(`sleep-pid: what was asked before ${upgrade} ends in the old code`, async (t) => {
    const { app, supervisor } = await startExample(t, 'sleep-pid', { config: probation });
    const before = app.get('/?sleep=2');
    await waitForLog(supervisor, app.log, /asked to sleep 2 s/);
    app.commit({ 'generation.ts': 'export const generation: number = 2;\n' });
    if (upgrade === 'SIGHUP') {
      supervisor.kill('SIGHUP');
      await waitForLog(supervisor, app.log, /midflight passed/);
    } else await deploy(app, '--path', 'handoff');
    const after = toPlace(await app.get('/?sleep=0'));
    const old = toPlace(await before);
    assert.deepEqual([old.generation, after.generation], ['1', '2']);
    assert.equal(old.pid === after.pid, upgrade === 'SIGHUP');
  });
}

function toPlace(answer: string): { generation: string | undefined; pid: string | undefined } {
  const [, generation, pid] = /generation (\d+) of process (\d+)/.exec(answer) ?? [];
  return { generation, pid };
}

test('sleep-pid refuses what is no time to sleep', async (t) => {
  const { app } = await startExample(t, 'sleep-pid');
  assert.match(await app.get('/?sleep=soon'), /sleep must be a number of seconds/);
});

test('sleep-pid runs with plain node', async (t) => {
  const port = String(await findFreePort());
  const child = await runPlain(t, 'sleep-pid', [process.execPath, 'server.ts'], { PORT: port });
  assert.match(await askPlain(child, `http://127.0.0.1:${port}/?sleep=0`), /in generation 1 of process/);
});

test('counter-loop counts on while its function is replaced, each number once', async (t) => {
  const app = await createTestApp({
    from: 'examples/counter-loop',
    files: {},
    config: { entry: 'main.ts', ready: 'load', ...probation },
    environment: { PERIOD_MS: '50' },
  });
  t.after(() => app.dispose());
  const supervisor = await app.start();
  await waitForLog(supervisor, app.log, /counted to 5\n/);
  app.commit({ 'describe.ts': 'export const describe = (count: number): string => `now at ${count}`;\n' });
  assert.equal((await deploy(app))['path'], 'swap');
  await waitForLog(supervisor, app.log, /(now at \d+\n[\s\S]*){5}/);
  const lines = [...app.log().matchAll(/(counted to|now at) (\d+)\n/g)];
  assert.deepEqual(
    lines.map(([, , count]) => Number(count)),
    lines.map((_, index) => index + 1),
  );
  assert.deepEqual([...new Set(lines.map(([, text]) => text))], ['counted to', 'now at']);
});

test('counter-loop: after a handoff only the new process counts, and goes on where the old one was', async (t) => {
  const app = await createTestApp({
    from: 'examples/counter-loop',
    files: {},
    config: { entry: 'main.ts', ready: 'load', probationMs: 600 },
    environment: { PERIOD_MS: '50' },
  });
  t.after(() => app.dispose());
  const supervisor = await app.start();
  await waitForLog(supervisor, app.log, /counted to 3\n/);
  app.commit({ 'describe.ts': 'export const describe = (count: number): string => `now at ${count}`;\n' });
  assert.equal((await deploy(app, '--path', 'handoff'))['path'], 'handoff');
  // The two come by pipes of their own.
  await app.printed(/midflight commit: .*\n[^]*now at \d+\n/);
  const afterCommit = app.log().split(/midflight commit: .*\n/)[1] ?? '';
  // One that was on its way may still come.
  assert.ok((afterCommit.match(/counted to/g) ?? []).length <= 1, afterCommit);
  const counted = [...app.log().matchAll(/(?:counted to|now at) (\d+)\n/g)].map(([, count]) => Number(count));
  // What the old one counts while its state is on its way is counted again.
  for (const [index, count] of counted.slice(1).entries())
    assert.ok([0, 1].includes(count - (counted[index] ?? 0)), counted.join());
});

test('counter-loop runs with plain node', async (t) => {
  const child = await runPlain(t, 'counter-loop', [process.execPath, 'main.ts'], { PERIOD_MS: '10' });
  await waitForLog(child, child.printed, /counted to 3\n/);
});

test('chat: the conversation and the connections live through a swap', async (t) => {
  const { app } = await startExample(t, 'chat', {
    config: { entry: 'server.ts', ...probation },
    linkPackages: true,
  });
  const ann = await join(t, app, 'ann');
  const bob = await join(t, app, 'bob');
  assert.deepEqual(await say(ann, bob, 'hello'), { author: 'ann', text: 'hello', version: '1' });
  app.commit({ 'version.ts': `export const version: string = '2';\n` });
  assert.equal((await deploy(app))['path'], 'swap');
  const cid = await join(t, app, 'cid');
  assert.deepEqual(await say(cid, ann, 'who is here?'), {
    author: 'cid',
    text: 'who is here?',
    version: '2',
  });
  assert.deepEqual(await say(bob, cid, 'we are'), { author: 'bob', text: 'we are', version: '1' });
  const conversation = JSON.parse(await app.get('/rooms/lobby')) as string[];
  assert.deepEqual(
    conversation.map((line) => line.replace(/ \(.*/, '')),
    ['ann: hello', 'cid: who is here?', 'bob: we are'],
  );
});

test('chat: the conversation, the rooms and the connections go to the next process', async (t) => {
  const { app } = await startExample(t, 'chat', {
    config: { entry: 'server.ts', ...probation },
    linkPackages: true,
  });
  const ann = await join(t, app, 'ann');
  const bob = await join(t, app, 'bob');
  const { pid } = JSON.parse(await app.get()) as { pid: number };
  assert.deepEqual(await say(ann, bob, 'hello'), { author: 'ann', text: 'hello', version: '1' });
  app.commit({ 'version.ts': `export const version: string = '2';\n` });
  assert.equal((await deploy(app, '--path', 'handoff'))['path'], 'handoff');
  const cid = await join(t, app, 'cid');
  assert.deepEqual(await say(ann, bob, 'who is here?'), {
    author: 'ann',
    text: 'who is here?',
    version: '2',
  });
  assert.deepEqual(await say(cid, ann, 'me'), { author: 'cid', text: 'me', version: '2' });
  assert.notEqual((JSON.parse(await app.get()) as { pid: number }).pid, pid);
  const conversation = JSON.parse(await app.get('/rooms/lobby')) as string[];
  assert.deepEqual(
    conversation.map((line) => line.replace(/ \(.*/, '')),
    ['ann: hello', 'ann: who is here?', 'cid: me'],
  );
});

test('chat runs with plain node', async (t) => {
  const port = String(await findFreePort());
  const child = await runPlain(t, 'chat', [process.execPath, 'server.ts'], { PORT: port });
  assert.match(await askPlain(child, `http://127.0.0.1:${port}/`), /"version":"1"/);
});

async function join(t: TestContext, app: TestApp, name: string): Promise<WebSocket> {
  const socket = new WebSocket(`${app.origin.replace('http', 'ws')}/?name=${name}`);
  t.after(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

/** Sends a text and resolves with the message that has it, as another member gets it. */
async function say(from: WebSocket, to: WebSocket, text: string): Promise<object> {
  const messages = on(to, 'message');
  from.send(text);
  for await (const [data] of messages as AsyncIterable<[Buffer]>) {
    const { author, text: received, version } = JSON.parse(data.toString()) as Record<string, string>;
    if (received === text) return { author, text: received, version };
  }
  throw new Error('the connection has ended');
}

test('go-time is built in the release and handed off under load', async (t) => {
  const { app } = await startExample(t, 'go-time', {
    files: toGoVersion('1'),
    config: (port: number) => ({
      command: ['./go-time'],
      listen: [`127.0.0.1:${port}`],
      build: 'go build -o go-time .',
      ...probation,
    }),
  });
  const load = startLoad({ origin: app.origin, clients: { newConnection: 3 } });
  await load.waitForVersion('1');
  app.commit(toGoVersion('2'));
  const report = await deploy(app);
  await load.waitForVersion('2');
  const { failures } = await load.stop();
  assert.equal(report['path'], 'handoff');
  assert.match(JSON.stringify(report['reasons']), /MF2006/);
  assert.deepEqual(failures, []);
});

/** The program, with an answer that the strict clients can read. */
function toGoVersion(version: string): Record<string, string> {
  const body = `{"version":"${version}","versionAfter":"${version}","time":"%s"}`;
  const answer = `fmt.Fprintf(response, \`${body}\`, format(time.Now()))\n`;
  const source = readRepositoryFile('examples/go-time/main.go');
  return { 'main.go': source.replace(/fmt\.Fprintf\(response, .*\n/, () => answer) };
}

test('go-time runs by itself', async (t) => {
  const app = await createTestApp({ from: 'examples/go-time', files: {} });
  t.after(() => app.dispose());
  execFileSync('go', ['build', '-o', 'go-time', '.'], { cwd: app.directory });
  const program = path.join(app.directory, 'go-time');
  const child = await runPlain(t, 'go-time', [program], { PORT: String(app.port) });
  assert.match(await askPlain(child, app.origin), /^\d{4}-.*process \d+/);
});
