/** WebSockets under traffic while releases come and go: none is closed, and nothing on them is lost, doubled or out of order. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { startNumberedClient, type NumberedClient } from '../runtime/web-sockets/numbered-client.ts';
import { createTestApp, type Files, type TestApp } from '../support/app.ts';

const server = `
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { carryWebSockets } from 'midflight/ws';
import { version } from './version.ts';

const sessions = new Map();
const httpServer = createServer((request, response) => {
  if (request.url === '/health' && version === 'ill' && sessions.size > 50) response.statusCode = 500;
  response.end(JSON.stringify({ version, pid: process.pid, clients: webSockets.clients.size, sessions: sessions.size }));
});
const webSockets = new WebSocketServer({ server: httpServer, perMessageDeflate: { threshold: 0 } });

function serve(webSocket, session) {
  sessions.set(webSocket, session);
  push(webSocket, session);
  webSocket.on('message', async (data, isBinary) => {
    const number = Number(data.toString('latin1', 0, 8));
    if (number !== session.received++) webSocket.send('wrong: ' + number + ', not ' + (session.received - 1));
    if (number % 5 === 0) await sleep(20);
    webSocket.send(number % 5 === 0 ? 'late: ' + number + ' ' + data.length : data, { binary: isBinary && number % 5 !== 0 });
  });
  webSocket.on('close', () => {
    clearInterval(session.timer());
    sessions.delete(webSocket);
  });
}

function push(webSocket, session) {
  const timer = setInterval(() => webSocket.send('push: ' + session.pushed++), 200);
  Object.defineProperty(session, 'timer', { value: () => timer, configurable: true });
}

webSockets.on('connection', (webSocket) => serve(webSocket, { received: 0, pushed: 0 }));

carryWebSockets(webSockets, {
  save(webSocket) {
    clearInterval(sessions.get(webSocket).timer());
    return { ...sessions.get(webSocket) };
  },
  restore: serve,
  forget: (webSocket) => sessions.delete(webSocket),
  keep: (webSocket) => push(webSocket, sessions.get(webSocket)),
});
httpServer.listen(Number(process.env.PORT), '127.0.0.1');
`;

const COUNT = 300;
const config = {
  entry: 'server.ts',
  probationMs: 500,
  health: { path: '/health' },
  drainTimeoutMs: 60_000,
  readyTimeoutMs: 60_000,
};
const toVersion = (version: string): Files => ({ 'version.ts': `export const version = '${version}';\n` });

interface Answer {
  readonly version: string;
  readonly pid: number;
  readonly clients: number;
  readonly sessions: number;
}

async function startApp(t: TestContext, files: Files = { 'server.ts': server }): Promise<TestApp> {
  const app = await createTestApp({ files: { ...files, ...toVersion('1') }, config, linkPackages: true });
  t.after(() => app.dispose());
  await app.start();
  return app;
}

async function connect(port: number, count: number, pauseMs: number): Promise<NumberedClient[]> {
  return Promise.all(
    Array.from({ length: count }, (_, index) => startNumberedClient({ port, index, pauseMs })),
  );
}

async function handOff(app: TestApp, version: string): Promise<{ result: unknown; answer: Answer }> {
  app.commit(toVersion(version));
  const { json } = await app.midflight('deploy', '--json', '--path', 'handoff');
  return { result: json['result'], answer: await allArrived(app) };
}

/** What is carried may still be on its way when the deploy is through. */
async function allArrived(app: TestApp): Promise<Answer> {
  for (;;) {
    const answer = JSON.parse(await app.get()) as Answer;
    if (answer.sessions === COUNT) return answer;
    await sleep(50);
  }
}

test('300 WebSockets outlive three handoffs and a release that fails in probation', async (t) => {
  const app = await startApp(t);
  const clients = await connect(app.port, COUNT, 300);
  const pids = new Set([(JSON.parse(await app.get()) as Answer).pid]);
  for (const version of ['2', '3', '4']) {
    const { result, answer } = await handOff(app, version);
    assert.equal(result, 'committed');
    assert.deepEqual({ ...answer, pid: 0 }, { version, pid: 0, clients: COUNT, sessions: COUNT });
    pids.add(answer.pid);
  }
  assert.equal(pids.size, 4);
  app.write({ 'midflight.config.json': JSON.stringify({ ...config, probationMs: 60_000 }) });
  const { result, answer } = await handOff(app, 'ill');
  assert.equal(result, 'rolled-back');
  assert.deepEqual({ ...answer, pid: 0 }, { version: '4', pid: 0, clients: COUNT, sessions: COUNT });
  assert.ok(pids.has(answer.pid));
  await Promise.all(clients.map((client) => client.finish()));
  assert.deepEqual(
    clients.flatMap(({ tally }) => tally.faults),
    [],
  );
  const sum = (key: 'sent' | 'echoed' | 'late'): number =>
    clients.reduce((total, { tally }) => total + tally[key], 0);
  assert.equal(sum('echoed') + sum('late'), sum('sent'));
  t.diagnostic(`${sum('sent')} messages, ${sum('late')} of them answered late`);
});

test('after a swap a broadcast reaches all WebSockets that move to the new code, and after a rollback too', async (t) => {
  const moving = `
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { carryWebSockets } from 'midflight/ws';
import { version } from './version.ts';

const names = new Map();
const httpServer = createServer((_, response) => response.end(version));
const webSockets = new WebSocketServer({ server: httpServer });
const serve = (webSocket, name) => {
  names.set(webSocket, name);
  webSocket.on('message', (text) => {
    for (const client of webSockets.clients) client.send([version, name, text].join(' '));
  });
};
webSockets.on('connection', (webSocket, { url }) => serve(webSocket, url.slice(1)));
carryWebSockets(webSockets, {
  save: (webSocket) => names.get(webSocket),
  restore: serve,
  forget: (webSocket) => names.delete(webSocket),
  swap: 'move',
});
httpServer.listen(Number(process.env.PORT), '127.0.0.1');
`;
  const app = await startApp(t, { 'server.ts': moving });
  const sockets = await Promise.all(['ann', 'bob'].map((name) => open(t, app, name)));
  app.commit(toVersion('2'));
  assert.equal((await app.midflight('deploy', '--json')).json['path'], 'swap');
  sockets.push(await open(t, app, 'cid'));
  for (const [index, name] of ['ann', 'bob', 'cid'].entries())
    assert.deepEqual(
      await say(sockets, index, 'hi'),
      Array.from(sockets, () => `2 ${name} hi`),
    );
  const { workers } = (await app.midflight('status', '--json')).json as { workers: { upgraded: number }[] };
  assert.equal(workers[0]?.upgraded, 3);
  assert.equal((await app.midflight('rollback', '--json')).json['path'], 'swap');
  assert.deepEqual(
    await say(sockets, 1, 'back'),
    Array.from(sockets, () => '1 bob back'),
  );
});

async function open(t: TestContext, app: TestApp, name: string): Promise<WebSocket> {
  const socket = new WebSocket(`${app.origin.replace('http', 'ws')}/${name}`);
  t.after(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

/** What all hear when one speaks. */
async function say(sockets: readonly WebSocket[], from: number, text: string): Promise<string[]> {
  const heard = sockets.map((socket) => once(socket, 'message'));
  sockets[from]?.send(text);
  return (await Promise.all(heard)).map(([data]) => String(data));
}
