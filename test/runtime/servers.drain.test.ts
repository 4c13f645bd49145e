import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { test } from 'node:test';

import { createClient, createWorld } from './servers-fixture.ts';

/** Reads until so many responses have begun. */
async function countAnswers(socket: net.Socket, count: number): Promise<number> {
  let text = '';
  while (text.split('HTTP/1.1 200 OK').length - 1 < count) text += String((await once(socket, 'data'))[0]);
  socket.removeAllListeners('data');
  return text.split('HTTP/1.1 200 OK').length - 1;
}

/** An app whose answers to /slow wait until `end` is called. */
function createApp() {
  const started = new net.Server();
  const waiting: http.ServerResponse[] = [];
  return {
    evaluate: () =>
      http
        .createServer((request, response) => {
          if (request.url !== '/slow') return void response.end('quick');
          waiting.push(response);
          return void started.emit('slow');
        })
        .listen(0, '127.0.0.1'),
    whenSlow: () => once(started, 'slow'),
    end: () => waiting.splice(0).forEach((response) => response.end('slow')),
  };
}

test('draining answers on, says Connection: close, also in the response that had not begun, and resolves when all is quiet', async () => {
  using world = createWorld();
  const app = createApp();
  await world.deploy(app.evaluate);
  using busy = createClient(world.port());
  using idle = createClient(world.port());
  await idle.get();
  const slowBegan = app.whenSlow();
  const slow = busy.get('/slow');
  await slowBegan;
  assert.deepEqual(world.adoption.counts(), { inFlightCount: 1, openCount: 2, upgradedCount: 0 });
  const drained = world.adoption.drain({ timeoutMs: 10_000 });
  const quick = await idle.get();
  assert.deepEqual([quick.body, quick.headers.connection], ['quick', 'close']);
  app.end();
  const { body, headers } = await slow;
  assert.deepEqual([body, headers.connection], ['slow', 'close']);
  assert.deepEqual(await drained, {
    timedOut: false,
    inFlightCount: 0,
    openCount: 0,
    upgradedCount: 0,
    cut: null,
  });
});

test('a drain that passes its deadline reports what is left, and undrain makes it serve as before', async () => {
  using world = createWorld();
  await world.deploy(createApp().evaluate);
  using client = createClient(world.port());
  const before = await client.get();
  const { cut, ...report } = await world.adoption.drain({ timeoutMs: 30 });
  assert.deepEqual(report, { timedOut: true, inFlightCount: 0, openCount: 1, upgradedCount: 0 });
  assert.equal(cut?.idleCount, 1);
  world.adoption.undrain();
  const after = await client.get();
  assert.deepEqual([after.headers.connection, after.clientPort], ['keep-alive', before.clientPort]);
});

test('pipelined requests are all answered while draining, and none closes the connection before another', async () => {
  using world = createWorld();
  const app = createApp();
  await world.deploy(app.evaluate);
  const socket = net.connect(world.port(), '127.0.0.1');
  const began = app.whenSlow();
  socket.write('GET /slow HTTP/1.1\r\nhost: x\r\n\r\n');
  await began;
  const drained = world.adoption.drain({ timeoutMs: 30_000 });
  const more = app.whenSlow();
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\nGET /slow HTTP/1.1\r\nhost: x\r\n\r\n');
  await more;
  app.end();
  assert.equal(await countAnswers(socket, 3), 3);
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  const text = Buffer.concat(await socket.toArray()).toString();
  assert.match(text, /connection: close/i);
  assert.equal((await drained).timedOut, false);
});

test('pipelined requests that were waiting when the drain began are all answered', async () => {
  using world = createWorld();
  const app = createApp();
  const scope = await world.deploy(app.evaluate);
  const socket = net.connect(world.port(), '127.0.0.1');
  const began = app.whenSlow();
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\nGET /slow HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(2));
  await began;
  const drained = world.adoption.drain({ timeoutMs: 30_000 });
  app.end();
  const text = Buffer.concat(await socket.toArray()).toString();
  assert.equal(text.split('HTTP/1.1 200 OK').length - 1, 4);
  assert.equal((await drained).timedOut, false);
  assert.equal(scope.inFlightCount, 0);
});

test('a connection that breaks leaves no request counted, pipelined ones neither', async () => {
  using world = createWorld();
  const app = createApp();
  const scope = await world.deploy(app.evaluate);
  const socket = net.connect(world.port(), '127.0.0.1');
  const began = app.whenSlow();
  socket.write('GET /slow HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(3));
  await began;
  assert.equal(scope.inFlightCount, 3);
  socket.destroy();
  assert.deepEqual(await world.adoption.whenQuiet(scope, { timeoutMs: 30_000 }), {
    timedOut: false,
    inFlightCount: 0,
    upgradedCount: 0,
  });
});

test('after stopAccepting open connections are served on, and resumeAccepting listens on the same port', async () => {
  using world = createWorld();
  await world.deploy(createApp().evaluate);
  const port = world.port();
  using client = createClient(port);
  const before = await client.get();
  await world.adoption.stopAccepting();
  const meanwhile = await client.get();
  assert.equal(meanwhile.clientPort, before.clientPort);
  await assert.rejects(createClient(port).get(), { code: 'ECONNREFUSED' });
  await world.adoption.resumeAccepting();
  using other = createClient(port);
  assert.equal((await other.get()).body, 'quick');
});

test('connections that have sent nothing, or half of a header, when the drain begins are answered', async () => {
  using world = createWorld();
  await world.deploy(createApp().evaluate);
  const connections: net.Socket[] = [];
  for (const sent of ['', 'GET / HTTP/1.1\r\nhos']) {
    const socket = net.connect(world.port(), '127.0.0.1');
    await once(socket, 'connect');
    socket.write(sent);
    connections.push(socket);
  }
  while (world.adoption.counts().openCount < 2) await new Promise((resolve) => setImmediate(resolve));
  await world.adoption.stopAccepting();
  const drained = world.adoption.drain({ timeoutMs: 30_000 });
  const [silent, half] = connections;
  silent?.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  half?.write('t: x\r\n\r\n');
  for (const socket of connections) {
    const text = Buffer.concat(await socket.toArray()).toString();
    assert.match(text, /^HTTP\/1\.1 200 OK[^]*connection: close[^]*quick/i);
  }
  assert.equal((await drained).timedOut, false);
});

test('an answer that comes before the end of an upload leaves the connection open until the client has sent all of it', async () => {
  using world = createWorld();
  await world.deploy(() =>
    http.createServer((_request, response) => response.writeHead(401).end('no')).listen(0, '127.0.0.1'),
  );
  const drained = world.adoption.drain({ timeoutMs: 30_000 });
  const socket = net.connect(world.port(), '127.0.0.1');
  socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 300000\r\n\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 401 [^]*connection: keep-alive[^]*no/i);
  for (let sent = 0; sent < 3; sent++)
    await new Promise((resolve) => socket.write(Buffer.alloc(100_000), resolve));
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  const text = Buffer.concat(await socket.toArray()).toString();
  assert.match(text, /^HTTP\/1\.1 401 [^]*connection: close/i);
  assert.equal((await drained).timedOut, false);
});

test('an answer after an upload says Connection: close, whether the upload or the drain began first', async () => {
  using world = createWorld();
  await world.deploy(() =>
    http
      .createServer((request, response) => {
        request.on('end', () => response.end('thanks')).resume();
      })
      .listen(0, '127.0.0.1'),
  );
  const head = 'POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n';
  const begin = async (): Promise<net.Socket> => {
    const socket = net.connect(world.port(), '127.0.0.1');
    socket.write(head);
    assert.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 100 Continue/);
    return socket;
  };
  const before = await begin();
  const drained = world.adoption.drain({ timeoutMs: 30_000 });
  for (const socket of [before, await begin()]) {
    socket.write('4\r\nslow\r\n');
    socket.write('0\r\n\r\n');
    const text = Buffer.concat(await socket.toArray()).toString();
    assert.match(text, /^HTTP\/1\.1 200 OK[^]*connection: close[^]*thanks/i);
  }
  assert.equal((await drained).timedOut, false);
});

test('undrain leaves a close that the client asked for', async () => {
  using world = createWorld();
  const app = createApp();
  await world.deploy(app.evaluate);
  const socket = net.connect(world.port(), '127.0.0.1');
  const began = app.whenSlow();
  socket.write('GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  await began;
  await world.adoption.drain({ timeoutMs: 0 });
  world.adoption.undrain();
  app.end();
  const text = Buffer.concat(await socket.toArray()).toString();
  assert.match(text, /connection: close[^]*slow/i);
});

test('HEAD, 204 and 304 answers of a lame duck are whole', async () => {
  using world = createWorld();
  await world.deploy(() =>
    http
      .createServer((request, response) => {
        response.writeHead(Number(request.url?.slice(1))).end('body');
      })
      .listen(0, '127.0.0.1'),
  );
  void world.adoption.drain({ timeoutMs: 30_000 });
  for (const line of ['HEAD /200', 'GET /204', 'GET /304']) {
    const socket = net.connect(world.port(), '127.0.0.1');
    socket.write(`${line} HTTP/1.1\r\nhost: x\r\n\r\n`);
    const text = Buffer.concat(await socket.toArray()).toString();
    assert.match(text, /connection: close/i);
    assert.ok(text.endsWith('\r\n\r\n'), line);
  }
});

test('a long download to a client that reads slowly arrives whole', async () => {
  using world = createWorld();
  const sizeBytes = 20_000_000;
  await world.deploy(() =>
    http.createServer((_request, response) => response.end(Buffer.alloc(sizeBytes))).listen(0, '127.0.0.1'),
  );
  const socket = net.connect(world.port(), '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await once(socket, 'readable');
  const drained = world.adoption.drain({ timeoutMs: 10_000 });
  assert.equal(world.adoption.openWork()?.requestCount, 1);
  let readBytes = 0;
  for await (const chunk of socket) {
    readBytes += (chunk as Buffer).length;
    if (readBytes > sizeBytes) break;
  }
  assert.equal((await drained).timedOut, false);
});

test('a quick drain waits a moment for the first request of a connection that is new, and not for ever', async () => {
  using world = createWorld();
  let server: http.Server | undefined;
  await world.deploy(() => {
    server = http.createServer((_request, response) => response.end('late')).listen(0, '127.0.0.1');
  });
  const accepted = once(server ?? new net.Server(), 'connection');
  const late = net.connect(world.port(), '127.0.0.1');
  await accepted;
  let isDrained = false;
  const drained = world.adoption.drain({ timeoutMs: 60_000, idle: 'leave' }).then((report) => {
    isDrained = true;
    return report;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isDrained, false);
  late.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  assert.equal(await countAnswers(late, 1), 1);
  assert.equal((await drained).timedOut, false);
  const silent = net.connect(world.port(), '127.0.0.1');
  await once(server ?? new net.Server(), 'connection');
  assert.equal((await world.adoption.drain({ timeoutMs: 60_000, idle: 'leave' })).timedOut, false);
  silent.destroy();
  late.destroy();
});

test('what is open is told in the order in which it came, also within a second', async () => {
  using world = createWorld();
  const asked = new net.Server();
  await world.deploy(() =>
    http.createServer((request) => asked.emit(request.url ?? '')).listen(0, '127.0.0.1'),
  );
  const sockets = Array.from({ length: 8 }, () => net.connect(world.port(), '127.0.0.1'));
  await Promise.all(sockets.map(async (socket) => once(socket, 'connect')));
  const came: string[] = [];
  for (const [index, socket] of [...sockets.entries()].toReversed()) {
    const arrived = once(asked, `/${index}`);
    socket.write(`GET /${index} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await arrived;
    came.push(`/${index}`);
  }
  const drained = world.adoption.drain({ timeoutMs: 60_000 });
  const told = world.adoption.openWork()?.requests.map(({ url }) => url);
  for (const socket of sockets) socket.destroy();
  await drained;
  assert.deepEqual(told, came);
});
