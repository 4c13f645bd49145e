/** What becomes of what an old process has open, from the outside: clients never try again. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import { test, type TestContext } from 'node:test';
import { WebSocket } from 'ws';
import { startLoad } from '../../scripts/load/load.ts';
import { createTestApp, waitForLog, type Files, type TestApp } from '../support/app.ts';
import { toFrameworkApp } from '../support/frameworks.ts';

interface Worker {
  readonly pid: number;
  readonly state: string;
  readonly drainDeadline: string | null;
  readonly waitsFor: {
    readonly requests: readonly { readonly url: string }[];
    readonly socketCount: number;
  } | null;
}

/** Has WebSockets, a stream of events, and answers that never come. */
const toOpenEnded = (version: string): Files => ({
  'server.js': `import http from 'node:http';
import { WebSocketServer } from 'ws';
const server = http.createServer((request, response) => {
  if (request.url.startsWith('/never')) return;
  if (request.url !== '/events') return void response.end('${version}');
  response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: ${version}\\n\\n');
});
new WebSocketServer({ server }).on('connection', (socket) => socket.send('${version}'));
server.listen(Number(process.env.PORT), '127.0.0.1');
`,
});

async function startApp(t: TestContext, config: Readonly<Record<string, unknown>>, files: Files) {
  const app = await createTestApp({ files, config, linkPackages: true });
  t.after(() => app.dispose());
  return { app, supervisor: await app.start() };
}

async function handOff(app: TestApp, files: Files): Promise<void> {
  app.commit(files);
  const { json } = await app.midflight('deploy', '--json', '--path', 'handoff');
  assert.deepEqual([json['path'], json['result']], ['handoff', 'committed'], JSON.stringify(json));
}

async function openWebSocket(app: TestApp) {
  const socket = new WebSocket(app.origin.replace('http', 'ws'));
  const closed = once(socket, 'close') as Promise<[code: number]>;
  const [version] = (await once(socket, 'message')) as [Buffer];
  return { socket, version: version.toString(), closed };
}

async function workersOf(app: TestApp): Promise<readonly Worker[]> {
  return (await app.status()).workers as unknown as readonly Worker[];
}

/** Resolves when the request has come to the process that serves: what is asked after it is answered. */
async function askForever(app: TestApp): Promise<http.ClientRequest> {
  const never = http.get(`${app.origin}/never?secret=1`, { agent: false });
  await once(never, 'finish');
  await app.get();
  return never;
}

async function openEvents(app: TestApp): Promise<IncomingMessage> {
  const request = http.get(`${app.origin}/events`, {
    headers: { accept: 'text/event-stream' },
    agent: false,
  });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  await once(response, 'readable');
  return response;
}

test('status tells what an old process waits for and until when, and it ends when that has', async (t) => {
  const config = { entry: 'server.js', probationMs: 100, drainTimeoutMs: 600_000 };
  const { app } = await startApp(t, config, toOpenEnded('one'));
  const { socket } = await openWebSocket(app);
  const events = await openEvents(app);
  const never = await askForever(app);
  await handOff(app, toOpenEnded('two'));
  const old = (await workersOf(app)).find(({ state }) => state === 'draining');
  assert.ok(Date.parse(old?.drainDeadline ?? '') > 0);
  assert.deepEqual(old?.waitsFor?.requests.map(({ url }) => url).toSorted(), ['/events', '/never']);
  assert.equal(old?.waitsFor?.socketCount, 1);
  socket.close();
  events.destroy();
  never.on('error', () => null).destroy();
  while ((await workersOf(app)).some(({ pid }) => pid === old?.pid));
});

test('at the deadline WebSockets get 1012, streams end whole, requests are cut, and the log has told of each', async (t) => {
  const config = { entry: 'server.js', probationMs: 100, drainTimeoutMs: 500 };
  const { app, supervisor } = await startApp(t, config, toOpenEnded('one'));
  const [{ pid }] = (await workersOf(app)) as readonly [Worker];
  const { closed } = await openWebSocket(app);
  const events = await openEvents(app);
  const failed = once(await askForever(app), 'error') as Promise<[NodeJS.ErrnoException]>;
  await handOff(app, toOpenEnded('two'));
  assert.equal((await closed)[0], 1012);
  assert.equal(Buffer.concat(await events.toArray()).toString(), 'data: one\n\n');
  assert.equal((await failed)[0].code, 'ECONNRESET');
  const said = new RegExp(
    `worker ${pid} was not drained after 500 ms; cut: 2 requests .*GET /never for .* m?s.*, 1 kept socket \\(WebSocket of 127`,
  );
  await waitForLog(supervisor, () => app.log(), said);
});

test('by policy WebSockets are closed with 1012 after probation, their clients come back to the new process, and the old one ends', async (t) => {
  const upgraded = { policy: 'close', spreadMs: 200 };
  const config = { entry: 'server.js', probationMs: 100, upgraded };
  const { app } = await startApp(t, config, toOpenEnded('one'));
  const [worker] = (await app.status()).workers;
  const sockets = await Promise.all(Array.from({ length: 5 }, async () => openWebSocket(app)));
  const events = await openEvents(app);
  await handOff(app, toOpenEnded('two'));
  for (const { closed } of sockets) assert.equal((await closed)[0], 1012);
  await events.toArray();
  assert.equal((await openWebSocket(app)).version, 'two');
  const { pid } = worker ?? {};
  while ((await app.status()).workers.some((each) => each.pid === pid));
});

test('stop closes WebSockets with 1012 and ends streams of events at once', async (t) => {
  const { app } = await startApp(t, { entry: 'server.js' }, toOpenEnded('one'));
  const { closed } = await openWebSocket(app);
  const events = await openEvents(app);
  const stopped = app.midflight('stop');
  assert.equal((await closed)[0], 1012);
  assert.equal(Buffer.concat(await events.toArray()).toString(), 'data: one\n\n');
  assert.equal((await stopped).exitCode, 0);
});

/** What shutdown code does on SIGTERM. */
const habits = {
  ignore: 'undefined',
  exit: 'process.exit(0)',
  'close all': '(server.close(() => process.exit(0)), server.closeAllConnections())',
  none: null,
};

function withHabit([version, code]: [string, string | null]): Files {
  const { 'server.ts': source = '', ...rest } = toFrameworkApp('http', version);
  const named = source.replace('createServer(async', 'const server = createServer(async');
  assert.notEqual(named, source);
  return {
    ...rest,
    'server.ts': code === null ? source : `${named}\nprocess.on('SIGTERM', () => void ${code});\n`,
  };
}

test('apps that end themselves on SIGTERM, or ignore it, fail no request of a handoff', async (t) => {
  const [first, ...others] = Object.entries(habits);
  assert.ok(first !== undefined);
  const config = { entry: 'server.ts', probationMs: 100, drainTimeoutMs: 10_000 };
  const { app, supervisor } = await startApp(t, config, withHabit(first));
  const load = startLoad({
    origin: app.origin,
    clients: { keepAlive: 6, newConnection: 1, slow: 1, upload: 1 },
  });
  await load.waitForVersion(first[0]);
  for (const next of others) {
    await handOff(app, withHabit(next));
    await load.waitForVersion(next[0]);
  }
  await waitForLog(supervisor, () => app.log(), /did not end within 5000 ms of SIGTERM: SIGKILL/);
  const report = await load.stop();
  assert.deepEqual(report.failures, []);
  assert.deepEqual([...report.versions.keys()].toSorted(), Object.keys(habits).toSorted());
});
