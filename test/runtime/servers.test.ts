import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { test } from 'node:test';

import { currentScope, runInScope } from '../../src/runtime/generation-scope.ts';
import { createClient, createScope, createWorld } from './servers-fixture.ts';

const answer = (text: string) => (_request: http.IncomingMessage, response: http.ServerResponse) =>
  response.end(text);
const listen =
  (text: string, port = 0) =>
  () =>
    http.createServer(answer(text)).listen(port, '127.0.0.1');

test('the next request on a keep-alive connection is answered by the new generation, the slow one before by the old', async () => {
  using world = createWorld();
  let finish = (): void => undefined;
  const started = Promise.withResolvers<void>();
  await world.deploy(() =>
    http
      .createServer((request, response) => {
        if (request.url !== '/slow') return response.end('one');
        response.write('slow ');
        finish = () => response.end('one');
        return started.resolve();
      })
      .listen(0, '127.0.0.1'),
  );
  using client = createClient(world.port());
  using slowClient = createClient(world.port());
  const first = await client.get();
  const slow = slowClient.get('/slow');
  await started.promise;
  const [address] = world.adoption.listening();
  await world.deploy(listen('two'));
  const second = await client.get();
  finish();
  assert.deepEqual(world.adoption.listening(), [address]);
  assert.equal(first.body, 'one');
  assert.equal(second.body, 'two');
  assert.equal(second.clientPort, first.clientPort);
  assert.equal((await slow).body, 'slow one');
  assert.equal((await slowClient.get()).body, 'two');
});

test('code of a request runs in the scope of the generation that answers', async () => {
  using world = createWorld();
  const scopes: unknown[] = [];
  const evaluate = () =>
    http
      .createServer((request, response) => {
        request.on('data', () => scopes.push(currentScope()));
        request.on('end', () => response.end());
      })
      .listen(0, '127.0.0.1');
  const one = await world.deploy(evaluate);
  using client = createClient(world.port());
  await client.request({ method: 'POST' }, 'x');
  const two = await world.deploy(evaluate);
  await client.request({ method: 'POST' }, 'x');
  assert.deepEqual(scopes, [one, two]);
});

test('data of a plain net connection arrives in the scope of the generation that accepted it, and stays there', async () => {
  using world = createWorld();
  const evaluate = () =>
    net
      .createServer((socket) => {
        socket.on('data', () => socket.write(String(currentScope()?.generation)));
        socket.on('error', () => undefined);
      })
      .listen(0, '127.0.0.1');
  const one = await world.deploy(evaluate);
  const socket = net.connect(world.port(), '127.0.0.1');
  socket.write('x');
  assert.equal(String((await once(socket, 'data'))[0]), String(one.generation));
  const two = await world.deploy(evaluate);
  socket.write('x');
  assert.equal(String((await once(socket, 'data'))[0]), String(one.generation));
  const other = net.connect(world.port(), '127.0.0.1');
  other.write('x');
  assert.equal(String((await once(other, 'data'))[0]), String(two.generation));
  assert.equal(world.adoption.counts().upgradedCount, 2);
  socket.destroy();
  other.destroy();
});

test('a prepared generation gets no connection, and an aborted one leaves nothing', async () => {
  using world = createWorld();
  await world.deploy(listen('one'));
  using client = createClient(world.port());
  const two = await world.prepare(() => {
    listen('two')();
    listen('extra')();
  });
  const extra = world.adoption.listening(two)[1] as { port: number };
  assert.equal((await client.get()).body, 'one');
  await assert.rejects(createClient(extra.port).get(), { code: 'ECONNREFUSED' });
  two.status = 'aborted';
  world.adoption.abort(two);
  assert.equal((await client.get()).body, 'one');
  assert.equal(world.adoption.listening().length, 1);
});

test('a rollback gives requests back to the generation before, and an address that the new one had dropped', async () => {
  using world = createWorld();
  const one = await world.deploy(() => {
    listen('one')();
    listen('admin')();
  });
  const adminPort = world.port(1);
  using client = createClient(world.port());
  await client.get();
  await world.deploy(listen('two'));
  assert.equal((await client.get()).body, 'two');
  await assert.rejects(createClient(adminPort).get(), { code: 'ECONNREFUSED' });
  world.rollback(one);
  assert.equal((await client.get()).body, 'one');
  using admin = createClient(adminPort);
  assert.equal((await admin.get()).body, 'admin');
});

test('a server of a generation that makes none of its own is inherited', async () => {
  using world = createWorld();
  const one = await world.deploy(listen('one'));
  using client = createClient(world.port());
  await client.get();
  const two = createScope();
  world.commit(two);
  world.retire(one);
  assert.equal((await client.get()).body, 'one');
  assert.equal(two.inFlightCount, 0);
  using other = createClient(world.port());
  assert.equal((await other.get()).body, 'one');
});

test('a retired generation answers no request, also on the connections that it accepted', async () => {
  using world = createWorld();
  const one = await world.deploy(listen('one'));
  using client = createClient(world.port());
  await client.get();
  await world.deploy(listen('two'));
  world.retire(one);
  assert.equal((await client.get()).body, 'two');
});

test('a connection to an address that is gone is answered 503 and closed once its generation has retired', async () => {
  using world = createWorld();
  const one = await world.deploy(() => {
    listen('one')();
    listen('admin')();
  });
  using client = createClient(world.port(1));
  await client.get();
  await world.deploy(listen('two'));
  const lame = await client.get();
  assert.deepEqual([lame.body, lame.headers.connection], ['admin', 'close']);
  world.rollback(one);
  using again = createClient(world.port(1));
  await again.get();
  await world.deploy(listen('three'));
  world.retire(one);
  const gone = await again.get();
  assert.deepEqual([gone.statusCode, gone.headers.connection], [503, 'close']);
});

test('close of a superseded server cuts no connection of the current generation, and its callback is called', async () => {
  using world = createWorld();
  let server!: http.Server;
  await world.deploy(() => (server = http.createServer(answer('one')).listen(0, '127.0.0.1')));
  using client = createClient(world.port());
  const first = await client.get();
  await world.deploy(listen('two'));
  await new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  const second = await client.get();
  assert.deepEqual([second.body, second.clientPort], ['two', first.clientPort]);
});

test('close of a current server closes its port and emits close, and listen opens it again', async () => {
  using world = createWorld();
  let server!: http.Server;
  const scope = await world.deploy(() => (server = http.createServer(answer('one')).listen(0, '127.0.0.1')));
  const port = world.port();
  server.close();
  await once(server, 'close');
  assert.equal(server.listening, false);
  await assert.rejects(createClient(port).get(), { code: 'ECONNREFUSED' });
  runInScope(scope, () => server.listen(port, '127.0.0.1'));
  await once(server, 'listening');
  using client = createClient(port);
  assert.equal((await client.get()).body, 'one');
});

test('checkContinue and expectations follow the request to the new generation', async () => {
  using world = createWorld();
  await world.deploy(() => {
    const server = http.createServer(answer('one')).listen(0, '127.0.0.1');
    server.on('checkContinue', (_request, response) => response.writeHead(417).end('old'));
  });
  using client = createClient(world.port());
  await client.get();
  await world.deploy(listen('two'));
  const { body, statusCode } = await client.request(
    { method: 'PUT', headers: { expect: '100-continue' } },
    'x',
  );
  assert.deepEqual([statusCode, body], [200, 'two']);
});

test('probe asks the servers of a generation that is not public', async () => {
  using world = createWorld();
  await world.deploy(listen('one'));
  const two = await world.prepare(() =>
    http
      .createServer((request, response) => response.writeHead(request.url === '/health' ? 204 : 404).end())
      .listen(0, '127.0.0.1'),
  );
  assert.deepEqual(await world.adoption.probe(two, { path: '/health', timeoutMs: 30_000 }), {
    statusCode: 204,
    body: '',
  });
  assert.deepEqual(await world.adoption.probe(two, { path: '/x', timeoutMs: 30_000 }), {
    statusCode: 404,
    body: '',
  });
});

test('probe fails when nothing answers in time', async () => {
  using world = createWorld();
  const scope = await world.deploy(() => http.createServer(() => undefined).listen(0, '127.0.0.1'));
  await assert.rejects(world.adoption.probe(scope, { path: '/', timeoutMs: 50 }), {
    code: 'ERR_MIDFLIGHT_HEALTH_FAILED',
  });
});

test('whenListening says timeout for a generation that never listens, cancelled when it is told to stop', async () => {
  using world = createWorld();
  const scope = createScope();
  const late = await world.adoption.whenListening(scope, { timeoutMs: 10 });
  assert.deepEqual(late, { status: 'timeout', listening: [] });
  const stopped = await world.adoption.whenListening(scope, {
    timeoutMs: 30_000,
    signal: AbortSignal.abort(),
  });
  assert.equal(stopped.status, 'cancelled');
});
