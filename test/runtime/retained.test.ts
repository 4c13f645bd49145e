/** What keeps a generation that has retired is told, with the line that made it; what is only not collected yet is not. */

import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import net from 'node:net';
import http from 'node:http';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { GenerationInfo } from '../../src/deploy/create-runtime.ts';
import { collectUntil } from '../support/collected.ts';
import { runApp, type RunningApp } from '../deploy/runtime-fixture.ts';

const packageJson = '{"type":"module"}';

/** The generations that are retained, once what can be collected has been. */
async function retainedBy({ runtime }: RunningApp, count: number): Promise<readonly GenerationInfo[]> {
  const retained = (): readonly GenerationInfo[] =>
    runtime.generations.filter(({ status }) => status === 'retained');
  await collectUntil(() => retained().length === count);
  return retained();
}

test('a generation whose code nothing holds is not told of, and one whose handler was captured is, by its module', async (t) => {
  const bus = new EventEmitter();
  Object.assign(globalThis, { bus });
  const toFiles = (number: number): Record<string, string> => ({
    'handlers.js': `import { text } from './text.js';
export const number = ${number};
if (number !== 2) globalThis.bus.on('event', () => text + number);`,
  });
  const app = await runApp(t, {
    'package.json': packageJson,
    'main.js': `import './handlers.js'; import './other.js';`,
    'other.js': 'export {};',
    'text.js': `export const text = 'text';`,
    ...toFiles(1),
  });
  await app.swap(toFiles(2));
  await app.swap(toFiles(3));
  assert.deepEqual(await retainedBy(app, 1), [
    {
      generation: 1,
      status: 'retained',
      pinnedBy: ['code of handlers.js, captured by code that lives on'],
    },
  ]);
  bus.removeAllListeners();
  assert.deepEqual(await retainedBy(app, 0), []);
});

test('a request in flight is named with its method and path', async (t) => {
  const app = await runApp(t, serverOf('(request, response) => globalThis.answers.push(response)'));
  const answers: http.ServerResponse[] = [];
  Object.assign(globalThis, { answers });
  const asked = http.get({
    host: '127.0.0.1',
    port: app.main['port'] as number,
    path: '/slow',
    agent: false,
  });
  while (answers.length === 0) await turn();
  await app.swap(serverOf('(request, response) => response.end()'));
  const [retained] = await retainedBy(app, 1);
  assert.match(retained?.pinnedBy.join() ?? '', /^request GET \/slow, in flight for \d+ s$/);
  answers.pop()?.end();
  const [response] = (await once(asked, 'response')) as [http.IncomingMessage];
  response.resume();
  await once(response, 'end');
  assert.deepEqual(await retainedBy(app, 0), []);
});

test('an upgraded socket is named with its peer and where its server listens, and what its work has started', async (t) => {
  const app = await runApp(
    t,
    serverOf(`() => 0);
server.on('upgrade', (request, socket) => {
  setInterval(() => socket.write('.'), 1_000_000).unref();
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: x\\r\\nConnection: upgrade\\r\\n\\r\\n');
}`),
  );
  const socket = net.connect({ host: '127.0.0.1', port: app.main['port'] as number });
  t.after(() => socket.destroy());
  socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n');
  await once(socket, 'data');
  await app.swap(serverOf('(request, response) => response.end()'));
  const [retained] = await retainedBy(app, 1);
  const place = String.raw`\S+main\.js:\d+:\d+`;
  const peer = `127\\.0\\.0\\.1:${socket.localPort}`;
  const expected = `^upgraded socket from ${peer}, accepted by the server that listens since ${place}\\|interval at ${place}$`;
  assert.match(retained?.pinnedBy.join('|') ?? '', new RegExp(expected));
});

test('a socket that a module has opened is named with its peer and the line, until it is closed', async (t) => {
  const { port, accepted } = await listen(t);
  const toFiles = (text: string): Record<string, string> => ({ 'database.js': `\n${text}` });
  const app = await runApp(t, {
    'package.json': packageJson,
    'main.js': `import './database.js';`,
    ...toFiles(
      `import net from 'node:net'; import { once } from 'node:events';\nconst socket = net.connect(${port}, '127.0.0.1');\nawait once(socket, 'connect');`,
    ),
  });
  const [peer] = await accepted;
  await app.swap(toFiles('export {};'));
  const [retained] = await retainedBy(app, 1);
  const made = new RegExp(`^socket to 127\\.0\\.0\\.1:${port}, made at \\S+${path.sep}database\\.js:3:\\d+$`);
  assert.match(retained?.pinnedBy.join() ?? '', made);
  peer.destroy();
  assert.deepEqual(await retainedBy(app, 0), []);
});

test('a socket that a shared module has opened for a request keeps no generation', async (t) => {
  const { port } = await listen(t);
  const app = await runApp(t, {
    'package.json': packageJson,
    'main.js': `import './changing.js';\nimport { connect } from './pool.js';\nglobalThis.connect = connect;`,
    'pool.js': `import net from 'node:net';\nexport const connect = () => net.connect(${port}, '127.0.0.1');`,
    'changing.js': 'export {};',
  });
  const { connect } = globalThis as unknown as { connect: () => net.Socket };
  const socket = connect();
  t.after(() => socket.destroy());
  await app.swap({ 'changing.js': 'export const changed = true;' });
  assert.deepEqual(await retainedBy(app, 0), []);
});

function serverOf(listener: string): Record<string, string> {
  return {
    'package.json': packageJson,
    'main.js': `import { once } from 'node:events';
import http from 'node:http';
const server = http.createServer(${listener});
await once(server.listen(0, '127.0.0.1'), 'listening');
export const { port } = server.address();`,
  };
}

async function listen(t: TestContext): Promise<{ port: number; accepted: Promise<[net.Socket]> }> {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    t.after(() => socket.destroy());
  });
  const accepted = once(server, 'connection') as Promise<[net.Socket]>;
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  return { port: (server.address() as net.AddressInfo).port, accepted };
}
