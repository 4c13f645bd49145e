/** What becomes of WebSockets, other upgraded sockets, plain sockets and streams of events when their process is to end. */

import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';

import { stopClock } from '../support/stopped-clock.ts';
import { createWorld, type World } from './servers-fixture.ts';

const host = '127.0.0.1';
const closeFrame = Buffer.from([0x88, 0x02, 0x03, 0xf4]);
const handshake = 'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n';
const last = { idle: 'await', upgraded: { policy: 'keep', spreadMs: 0 } } as const;

function serveWebSockets(onMessage: (socket: WebSocket) => void = () => undefined) {
  return () => {
    const server = http.createServer();
    const sockets = new WebSocketServer({ server, perMessageDeflate: { threshold: 0 } });
    sockets.on('connection', (socket) => socket.on('message', () => onMessage(socket)));
    server.listen(0, host);
  };
}

/** An app that speaks WebSocket by itself, and what it does with each socket. */
function serveUpgrades(onUpgrade: (socket: net.Socket) => void) {
  return () =>
    http
      .createServer()
      .on('upgrade', (_request, socket: net.Socket) => onUpgrade(socket))
      .listen(0, host);
}

async function openWebSocket(port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://${host}:${port}`);
  await once(socket, 'open');
  return socket;
}

/** Resolves also when the socket is closed instead. */
async function isAnswered(client: WebSocket): Promise<void> {
  client.ping();
  await Promise.race([once(client, 'pong'), once(client, 'close')]);
}

/** Asks for an upgrade; resolves when the server has got the request. */
async function upgrade(world: World, protocol = 'websocket'): Promise<net.Socket> {
  const socket = net.connect(world.port(), host);
  const { upgradedCount } = world.adoption.counts();
  socket.write(`GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: ${protocol}\r\n\r\n`);
  while (world.adoption.counts().upgradedCount === upgradedCount)
    await new Promise((resolve) => setImmediate(resolve));
  return socket;
}

test('a WebSocket that is kept is closed with 1012 at the deadline, and is told of by its peer', async () => {
  using world = createWorld();
  await world.deploy(serveWebSockets());
  const client = await openWebSocket(world.port());
  const closed = once(client, 'close') as Promise<[number]>;
  const report = await world.adoption.drain({ timeoutMs: 50, ...last });
  assert.equal((await closed)[0], 1012);
  assert.equal(report.timedOut, true);
  assert.match(report.cut?.sockets[0]?.peer ?? '', /^127\.0\.0\.1:\d+$/);
  assert.deepEqual([report.cut?.socketCount, report.cut?.sockets[0]?.kind], [1, 'websocket']);
  assert.equal(world.adoption.counts().upgradedCount, 0);
});

test('messages that ws still compresses are sent before the close', async () => {
  using world = createWorld();
  const messages = Array.from({ length: 20 }, (_, index) => String(index).repeat(10_000));
  const asked = Promise.withResolvers<void>();
  await world.deploy(
    serveWebSockets((socket) => {
      for (const message of messages) socket.send(message);
      asked.resolve();
    }),
  );
  const client = await openWebSocket(world.port());
  const received: string[] = [];
  client.on('message', (data: Buffer) => received.push(data.toString()));
  const closed = once(client, 'close') as Promise<[number]>;
  client.send('all');
  await asked.promise;
  await world.adoption.drain({ timeoutMs: 0, ...last });
  assert.equal((await closed)[0], 1012);
  assert.deepEqual(received, messages);
});

test('a WebSocket that no library owns gets a close frame between two frames of its app', async () => {
  using world = createWorld();
  const frame = Buffer.from([0x81, 0x02, 0x68, 0x69]);
  await world.deploy(
    serveUpgrades((socket) => {
      socket.on('end', () => socket.end()).resume();
      socket.write(handshake);
      socket.cork();
      socket.write(frame.subarray(0, 2));
      socket.write(frame.subarray(2));
      process.nextTick(() => socket.uncork());
    }),
  );
  const client = await upgrade(world);
  const drained = world.adoption.drain({ timeoutMs: 0, ...last });
  let received = Buffer.alloc(0);
  for await (const chunk of client) {
    received = Buffer.concat([received, chunk as Buffer]);
    if (received.includes(closeFrame)) client.end();
  }
  assert.deepEqual(received.subarray(received.indexOf('\r\n\r\n') + 4), Buffer.concat([frame, closeFrame]));
  await drained;
});

test('no frame is put into bytes that are piped through, nor before the handshake was answered, nor into another protocol', async () => {
  using world = createWorld();
  const upstream = new PassThrough();
  await world.deploy(
    serveUpgrades((socket) => {
      if (upstream.listenerCount('data') > 0) return;
      socket.write(handshake);
      upstream.pipe(socket);
    }),
  );
  const piped = await upgrade(world);
  // A frame of which half has come.
  upstream.write(Buffer.from([0x81, 0x04, 0x68]));
  const unanswered = await upgrade(world);
  const other = await upgrade(world, 'raw');
  const all = Promise.all(
    [piped, unanswered, other].map(async (socket) => Buffer.concat(await socket.toArray())),
  );
  const report = await world.adoption.drain({ timeoutMs: 0, ...last });
  for (const received of await all) assert.equal(received.includes(closeFrame), false);
  assert.deepEqual(report.cut?.sockets.map(({ kind }) => kind).toSorted(), [
    'upgraded',
    'websocket',
    'websocket',
  ]);
});

test('close tells WebSockets one after the other over spreadMs, and the drain is over when the last has gone', async (t) => {
  const clock = stopClock(t);
  using world = createWorld();
  await world.deploy(serveWebSockets());
  const clients = await Promise.all(Array.from({ length: 10 }, async () => openWebSocket(world.port())));
  const codes: number[] = [];
  const news = new EventEmitter();
  for (const client of clients)
    client.once('close', (code) => {
      codes.push(code);
      news.emit('closed');
    });
  const upgraded = { policy: 'close', spreadMs: 1_000 } as const;
  const drained = world.adoption.drain({ timeoutMs: 10_000, idle: 'await', upgraded });
  for (let told = 1; told <= clients.length; told++) {
    // The first is told at once; each has its own tenth of the time.
    clock.pass(told === 1 ? 0 : told === 2 ? 200 : 100);
    while (codes.length < told) await once(news, 'closed');
    // What else the server had said comes before it answers.
    const others = clients.filter(({ readyState }) => readyState === WebSocket.OPEN);
    await Promise.all(others.map(isAnswered));
    assert.equal(codes.length, told);
  }
  const report = await drained;
  assert.deepEqual([report.timedOut, report.cut], [false, null]);
  assert.ok(codes.every((code) => code === 1012));
});

test('a plain socket is ended at the deadline after what was written, and destroyed when its client stays', async () => {
  using world = createWorld();
  await world.deploy(() =>
    net.createServer({ allowHalfOpen: true }, (socket) => void socket.write('hello')).listen(0, host),
  );
  const client = net.connect({ port: world.port(), host, allowHalfOpen: true });
  let received = '';
  client.on('data', (chunk: Buffer) => (received += chunk.toString()));
  const ended = once(client, 'end');
  const closed = once(client, 'close');
  await once(client, 'connect');
  while (world.adoption.counts().upgradedCount === 0) await new Promise((resolve) => setImmediate(resolve));
  await world.adoption.drain({ timeoutMs: 0, ...last });
  await ended;
  assert.equal(received, 'hello');
  while (world.adoption.counts().upgradedCount > 0) await new Promise((resolve) => setImmediate(resolve));
  client.end();
  await closed;
});

test('a stream of events ends whole, by policy or at the deadline, and what its app still writes does no harm', async () => {
  for (const policy of ['close', 'keep'] as const) {
    using world = createWorld();
    let stream: http.ServerResponse | undefined;
    await world.deploy(() =>
      http
        .createServer((_request, response) => {
          stream = response.writeHead(200, { 'content-type': 'text/event-stream' });
          stream.write('data: 1\n\n');
        })
        .listen(0, host),
    );
    const headers = { accept: 'text/event-stream' };
    const request = http.get({ port: world.port(), host, headers, agent: false });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    const drained = world.adoption.drain({
      timeoutMs: policy === 'close' ? 10_000 : 50,
      idle: 'await',
      upgraded: { policy, spreadMs: 0 },
    });
    const text = Buffer.concat(await response.toArray()).toString();
    assert.equal(stream?.write('data: 2\n\n'), false);
    stream?.end();
    assert.deepEqual([text, response.complete], ['data: 1\n\n', true]);
    assert.equal((await drained).timedOut, policy === 'keep');
  }
});

test('with idle connections left alone, a drain ends with the last request, and closes WebSockets at once', async () => {
  using world = createWorld();
  let slow: http.ServerResponse | undefined;
  await world.deploy(() => {
    const server = http.createServer((_request, response) => {
      slow = response;
    });
    new WebSocketServer({ server }).on('connection', () => undefined);
    server.listen(0, host);
  });
  const idle = net.connect(world.port(), host);
  const client = await openWebSocket(world.port());
  const closed = once(client, 'close') as Promise<[number]>;
  const request = http.get({ port: world.port(), host });
  while (slow === undefined) await new Promise((resolve) => setImmediate(resolve));
  const upgraded = { policy: 'close', spreadMs: 0 } as const;
  const drained = world.adoption.drain({ timeoutMs: 10_000, idle: 'leave', upgraded });
  assert.equal((await closed)[0], 1012);
  const work = world.adoption.openWork();
  assert.deepEqual(
    work?.requests.map(({ method, url }) => `${method} ${url}`),
    ['GET /'],
  );
  slow.end();
  await once(request, 'response');
  assert.equal((await drained).timedOut, false);
  idle.destroy();
});

test('retired generations have their WebSockets closed, and the current one keeps its own', async () => {
  using world = createWorld();
  const one = await world.deploy(serveWebSockets());
  const old = await openWebSocket(world.port());
  await world.deploy(serveWebSockets());
  const fresh = await openWebSocket(world.port());
  world.retire(one);
  const closed = once(old, 'close') as Promise<[number]>;
  await world.adoption.partWithRetired(0);
  assert.equal((await closed)[0], 1012);
  assert.deepEqual([fresh.readyState, world.adoption.counts().upgradedCount], [WebSocket.OPEN, 1]);
  fresh.terminate();
});

test('a stream of events that no EventSource has asked for is a request like any other', async () => {
  using world = createWorld();
  const told = Promise.withResolvers<void>();
  await world.deploy(() =>
    http
      .createServer((_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
        void told.promise.then(() => response.end('data: done\n\n'));
      })
      .listen(0, host),
  );
  const request = http.request({ port: world.port(), host, method: 'POST', agent: false }).end();
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const upgraded = { policy: 'close', spreadMs: 0 } as const;
  const drained = world.adoption.drain({ timeoutMs: 10_000, idle: 'await', upgraded });
  told.resolve();
  assert.match(Buffer.concat(await response.toArray()).toString(), /done/);
  assert.equal((await drained).timedOut, false);
});
