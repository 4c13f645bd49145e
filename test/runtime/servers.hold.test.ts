/** Connections that are held while states are passed: what clients send meanwhile is not read, and not lost. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { test, type TestContext } from 'node:test';

import { createClient, createWorld, type World } from './servers-fixture.ts';
import { cert, key } from './servers-certificate.ts';

/** An app that tells of every request, and answers those to /slow when it is told to. */
function createApp() {
  const seen: string[] = [];
  const waiting: http.ServerResponse[] = [];
  const started = new net.Server();
  const listener = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    seen.push(request.url ?? '');
    if (request.url !== '/slow') return void response.end('quick');
    waiting.push(response);
    started.emit('slow');
  };
  return {
    seen,
    listener,
    evaluate: () => http.createServer(listener).listen(0, '127.0.0.1'),
    whenSlow: () => once(started, 'slow'),
    end: () => waiting.splice(0).forEach((response) => response.end('slow')),
  };
}

/** So much has gone to and fro by then that this process would have read what was sent before. */
async function passTime(t: TestContext): Promise<void> {
  const echo = net.createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
  t.after(() => echo.close());
  await once(echo, 'listening');
  const socket = net.connect((echo.address() as net.AddressInfo).port, '127.0.0.1');
  for (let round = 0; round < 20; round++) {
    socket.write('x');
    await once(socket, 'data');
  }
  socket.destroy();
}

async function startApp(): Promise<{ world: World; app: ReturnType<typeof createApp> }> {
  const world = createWorld();
  const app = createApp();
  await world.deploy(app.evaluate);
  return { world, app };
}

test('a request on an idle connection waits, and is answered over it when the hold is over', async (t) => {
  const { world, app } = await startApp();
  using _ = world;
  using client = createClient(world.port());
  const { clientPort } = await client.get('/before');
  await world.adoption.hold();
  const answer = client.get('/during');
  await passTime(t);
  assert.deepEqual(app.seen, ['/before']);
  await world.adoption.unhold();
  assert.deepEqual([(await answer).body, (await answer).clientPort], ['quick', clientPort]);
});

test('a busy connection is held from the end of its answer on, also when the next request comes at once', async (t) => {
  const { world, app } = await startApp();
  using _ = world;
  using client = createClient(world.port());
  const began = app.whenSlow();
  const slow = client.get('/slow');
  await began;
  await world.adoption.hold();
  assert.equal(world.adoption.counts().inFlightCount, 1);
  app.end();
  assert.equal((await slow).headers.connection, 'keep-alive');
  const next = client.get('/next');
  await passTime(t);
  assert.deepEqual([app.seen, world.adoption.counts().inFlightCount], [['/slow'], 0]);
  await world.adoption.unhold();
  assert.equal((await next).body, 'quick');
});

test('a request whose headers have come in half waits for the other half', async (t) => {
  const { world, app } = await startApp();
  using _ = world;
  const socket = net.connect(world.port(), '127.0.0.1');
  t.after(() => socket.destroy());
  socket.write('GET /first HTTP/1.1\r\nhost: x\r\n\r\nGET /half HTTP/1.1\r\n');
  await once(socket, 'data');
  await world.adoption.hold();
  socket.write('host: x\r\n\r\n');
  await passTime(t);
  assert.deepEqual(app.seen, ['/first']);
  await world.adoption.unhold();
  await once(socket, 'data');
  assert.deepEqual(app.seen, ['/first', '/half']);
});

test('a connection that has sent nothing yet is held, and what is being uploaded goes on', async (t) => {
  const { world, app } = await startApp();
  using _ = world;
  const fresh = net.connect(world.port(), '127.0.0.1');
  t.after(() => fresh.destroy());
  await once(fresh, 'connect');
  const upload = http.request({ port: world.port(), host: '127.0.0.1', path: '/slow', method: 'POST' });
  const began = app.whenSlow();
  upload.write('one');
  await began;
  await world.adoption.hold();
  fresh.write('GET /fresh HTTP/1.1\r\nhost: x\r\n\r\n');
  upload.end('two');
  await passTime(t);
  assert.deepEqual(app.seen, ['/slow']);
  app.end();
  const [response] = (await once(upload, 'response')) as [http.IncomingMessage];
  assert.equal(response.statusCode, 200);
  response.resume();
  await world.adoption.unhold();
  await once(fresh, 'data');
  assert.deepEqual(app.seen, ['/slow', '/fresh']);
});

test('a held connection is not ended for being idle, and is again when it is read', async () => {
  using world = createWorld();
  const app = createApp();
  const server = http.createServer({ keepAliveTimeout: 600_000, keepAliveTimeoutBuffer: 0 }, app.listener);
  const accepted = once(server, 'connection');
  await world.deploy(() => server.listen(0, '127.0.0.1'));
  using client = createClient(world.port());
  await client.get('/');
  const [socket] = (await accepted) as [net.Socket];
  assert.equal(socket.timeout, 600_000);
  await world.adoption.hold();
  assert.equal(socket.timeout, 0);
  await world.adoption.unhold();
  assert.equal(socket.timeout, 600_000);
});

test('TLS connections are held as well', async (t) => {
  using world = createWorld();
  const app = createApp();
  await world.deploy(() => https.createServer({ key, cert }, app.listener).listen(0, '127.0.0.1'));
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ca: cert, servername: 'localhost' });
  t.after(() => agent.destroy());
  const get = async (path: string): Promise<number | undefined> => {
    const sent = https.get({ port: world.port(), host: '127.0.0.1', agent, path });
    const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
    response.resume();
    await once(response, 'end');
    return response.statusCode;
  };
  await get('/before');
  await world.adoption.hold();
  const during = get('/during');
  await passTime(t);
  assert.deepEqual(app.seen, ['/before']);
  await world.adoption.unhold();
  assert.equal(await during, 200);
});

test('an HTTP/2 session is held when its last stream has ended', async (t) => {
  using world = createWorld();
  const seen: string[] = [];
  const waiting: http2.ServerHttp2Stream[] = [];
  await world.deploy(() =>
    http2
      .createServer()
      .on('stream', (stream, headers) => {
        seen.push(headers[':path'] ?? '');
        if (headers[':path'] === '/slow') waiting.push(stream);
        else stream.end('quick');
      })
      .listen(0, '127.0.0.1'),
  );
  const session = http2.connect(`http://127.0.0.1:${world.port()}`);
  t.after(() => session.destroy());
  const get = async (path: string): Promise<string> => {
    let text = '';
    for await (const chunk of session.request({ ':path': path }).setEncoding('utf8')) text += chunk as string;
    return text;
  };
  await get('/before');
  const slow = get('/slow');
  await get('/beside');
  await world.adoption.hold();
  assert.equal(await get('/meanwhile'), 'quick');
  for (const stream of waiting) stream.end('slow');
  assert.equal(await slow, 'slow');
  const during = get('/during');
  await passTime(t);
  assert.deepEqual(seen, ['/before', '/slow', '/beside', '/meanwhile']);
  await world.adoption.unhold();
  assert.equal(await during, 'quick');
});

test('upgraded sockets are read until they are held too', async (t) => {
  using world = createWorld();
  const sockets: net.Socket[] = [];
  const got: string[] = [];
  await world.deploy(() =>
    net
      .createServer((socket) => {
        sockets.push(socket);
        socket.on('data', (data) => {
          got.push(String(data));
          socket.write(data);
        });
      })
      .listen(0, '127.0.0.1'),
  );
  const client = net.connect(world.port(), '127.0.0.1');
  t.after(() => client.destroy());
  client.write('a');
  await once(client, 'data');
  await world.adoption.hold();
  client.write('b');
  await once(client, 'data');
  world.adoption.holdKept();
  client.write('c');
  await passTime(t);
  assert.deepEqual(got, ['a', 'b']);
  await world.adoption.unhold();
  await once(client, 'data');
  assert.deepEqual(got, ['a', 'b', 'c']);
});
