/** `listen()` of an adopted server behaves as Node documents it. Each case is compared with a native server where that tells more. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import http from 'node:http';
import net, { type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import { type GenerationScope, runInScope } from '../../src/runtime/generation-scope.ts';
import { createLocalListenerSource, type ListenerSource } from '../../src/runtime/servers/listener-source.ts';
import { createScope, createWorld } from './servers-fixture.ts';

type Listen = (server: Server) => unknown;

/** Does the same with a native server and with an adopted one, and says what each threw or emitted. */
async function compare(listen: Listen): Promise<{ native: unknown; adopted: unknown }> {
  using world = createWorld();
  const scope = await world.deploy(() => net.createServer().listen(0, '127.0.0.1'));
  return { native: await outcome(listen), adopted: await runInScope(scope, () => outcome(listen)) };
}

async function outcome(listen: Listen): Promise<unknown> {
  const server = net.createServer();
  try {
    listen(server);
    await once(server, 'listening');
    return 'listening';
  } catch (error) {
    const { name, message, code, errno, syscall, address, port } = error as NodeJS.ErrnoException &
      AddressInfo;
    return { name, message, code, errno, syscall, address, port };
  } finally {
    server.close();
  }
}

const forms: readonly [string, Listen][] = [
  ['no arguments', (server) => server.listen()],
  ['a callback only', (server) => server.listen(() => undefined)],
  ['null', (server) => server.listen(null as never)],
  ['a port', (server) => server.listen(0)],
  ['a port as text', (server) => server.listen('0' as never)],
  [
    'a port, a host, a backlog and a callback',
    (server) => server.listen(0, '127.0.0.1', 10, () => undefined),
  ],
  ['a host name', (server) => server.listen(0, 'localhost')],
  ['IPv6 only', (server) => server.listen({ port: 0, host: '::', ipv6Only: true })],
  ['port undefined', (server) => server.listen({ port: undefined })],
  ['a port that is too high', (server) => server.listen(70_000)],
  ['a port that is no number', (server) => server.listen({ port: 'x' as never })],
  ['options without port and path', (server) => server.listen({} as never)],
  ['a boolean', (server) => server.listen(true as never)],
  ['a host that is not here', (server) => server.listen(0, '203.0.113.1')],
  ['a path that is not there', (server) => server.listen('/nowhere/at/all.sock')],
  ['a wrong signal', (server) => server.listen({ port: 0, signal: 1 as never })],
  ['listen twice', (server) => server.listen(0).listen(0)],
  ['listen twice with a host', (server) => server.listen(0, '127.0.0.1').listen(0, '127.0.0.1')],
];

for (const [name, listen] of forms) {
  test(`listen with ${name} ends as in Node`, async () => {
    const { native, adopted } = await compare(listen);
    assert.deepEqual(adopted, native);
  });
}

test('a port that another process has is an error event with the message, code and fields of Node', async () => {
  const other = net.createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { native, adopted } = await compare((server) => server.listen(port, '127.0.0.1'));
  other.close();
  assert.equal((adopted as { code: string }).code, 'EADDRINUSE');
  assert.deepEqual(adopted, native);
});

test('a second server on one address in a generation gets EADDRINUSE, in its scope', async () => {
  using world = createWorld();
  const scope = await world.deploy(() => net.createServer().listen(0, '127.0.0.1'));
  const second = runInScope(scope, () => net.createServer().listen(world.port(), '127.0.0.1'));
  const [error] = (await once(second, 'error')) as [NodeJS.ErrnoException];
  assert.deepEqual([error.code, error.syscall, second.listening], ['EADDRINUSE', 'listen', false]);
  const wild = runInScope(scope, () => net.createServer().listen(world.port()));
  assert.equal(((await once(wild, 'error')) as [NodeJS.ErrnoException])[0].code, 'EADDRINUSE');
});

test('address() is known right after listen, and is the same in the next generation', async () => {
  using world = createWorld();
  const addresses: unknown[] = [];
  const evaluate = () => {
    const server = http.createServer().listen(0);
    addresses.push(server.address(), server.listening);
  };
  await world.deploy(evaluate);
  await world.deploy(evaluate);
  const expected = { address: '::', family: 'IPv6', port: world.port() };
  assert.deepEqual(addresses, [expected, true, expected, true]);
});

test('without a host it listens to IPv4 and IPv6', async () => {
  using world = createWorld();
  let server!: Server;
  await world.deploy(() => (server = net.createServer((socket) => socket.end('hi')).listen(0)));
  assert.deepEqual(server.address(), { address: '::', family: 'IPv6', port: world.port() });
  const socket = net.connect(world.port(), '127.0.0.1');
  assert.equal(String((await once(socket, 'data'))[0]), 'hi');
});

test('each listen on port 0 of a generation keeps its own port over generations', async () => {
  using world = createWorld();
  const evaluate = () => [0, 0, 0].map(() => net.createServer().listen(0, '127.0.0.1'));
  await world.deploy(evaluate);
  const before = world.adoption.listening();
  await world.deploy(evaluate);
  assert.equal(new Set(before.map((address) => 'port' in address && address.port)).size, 3);
  assert.deepEqual(world.adoption.listening(), before);
});

test('a Unix path serves generation after generation, with its mode, and is gone after close', async () => {
  using world = createWorld();
  const directory = await mkdtemp(path.join(tmpdir(), 'midflight-test-'));
  const file = path.join(directory, 'app.sock');
  let server!: Server;
  const evaluate = (text: string) => () => {
    server = http.createServer((_request, response) => response.end(text));
    server.listen({ path: file, readableAll: true, writableAll: true });
  };
  const ask = async (): Promise<string> => {
    const [response] = (await once(http.get({ socketPath: file, agent: false }), 'response')) as [
      http.IncomingMessage,
    ];
    return String((await response.toArray())[0]);
  };
  await world.deploy(evaluate('one'));
  assert.equal(await ask(), 'one');
  await world.deploy(evaluate('two'));
  assert.deepEqual([await ask(), server.address()], ['two', file]);
  assert.equal((await stat(file)).mode & 0o666, 0o666);
  server.close();
  await once(server, 'close');
  await assert.rejects(stat(file), { code: 'ENOENT' });
  await rm(directory, { recursive: true });
});

test('a signal closes the server', async () => {
  using world = createWorld();
  const controller = new AbortController();
  let server!: Server;
  await world.deploy(() => (server = net.createServer().listen({ port: 0, signal: controller.signal })));
  controller.abort();
  await once(server, 'close');
  assert.equal(server.listening, false);
});

test('close before listening is done emits close and never listening', async () => {
  using world = createWorld();
  const server = runInScope(createScope(), () =>
    net.createServer().listen(0, 'localhost', () => assert.fail()),
  );
  server.close();
  await once(server, 'close');
  assert.equal(world.adoption.listening().length, 0);
});

test('unref and ref reach the real listener', async () => {
  using world = createWorld();
  let server!: Server;
  const scope: GenerationScope = await world.deploy(
    () => (server = net.createServer().unref().listen(0, '127.0.0.1')),
  );
  const handles = (): number =>
    process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap').length;
  assert.equal(scope.status, 'current');
  const unrefed = handles();
  server.ref();
  assert.equal(handles(), unrefed + 1);
  server.unref();
  assert.equal(handles(), unrefed);
});

test('maxConnections and getConnections work as in Node', async () => {
  using world = createWorld();
  let server!: Server;
  await world.deploy(() => {
    server = net.createServer().listen(0, '127.0.0.1');
    server.maxConnections = 1;
  });
  const first = net.connect(world.port(), '127.0.0.1');
  await once(server, 'connection');
  const dropped = once(server, 'drop');
  const second = net.connect(world.port(), '127.0.0.1');
  await dropped;
  const count = await new Promise((resolve) => server.getConnections((_error, each) => resolve(each)));
  assert.equal(count, 1);
  first.destroy();
  second.destroy();
});

test('a server outside any generation is left to Node', async () => {
  using world = createWorld();
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  assert.equal(world.adoption.listening().length, 0);
  assert.equal(Object.hasOwn(server, 'emit'), false);
  server.close();
});

test('what an aborted generation still does takes no address', async () => {
  using world = createWorld();
  const scope = createScope();
  scope.status = 'aborted';
  const server = runInScope(scope, () => net.createServer().listen(0, '127.0.0.1'));
  assert.deepEqual([server.listening, world.adoption.listening(scope)], [false, []]);
});

test('restore gives listen back to Node', () => {
  const before = Object.getOwnPropertyDescriptor(net.Server.prototype, 'listen')?.value as unknown;
  createWorld()[Symbol.dispose]();
  assert.equal(Object.getOwnPropertyDescriptor(net.Server.prototype, 'listen')?.value, before);
});

/** A source that answers later, as one in another process does. */
function createDistantSource(): ListenerSource {
  const local = createLocalListenerSource();
  return { acquire: async (address) => local.acquire(address) };
}

test('a source that answers later works the same: listening, ports, the next generation', async () => {
  using world = createWorld(createDistantSource());
  const evaluate = () => {
    const server = net.createServer().listen(0);
    assert.equal(server.listening, true);
    return once(server, 'listening');
  };
  await world.deploy(evaluate);
  const before = world.adoption.listening();
  await world.deploy(evaluate);
  assert.deepEqual(world.adoption.listening(), before);
  assert.notEqual(world.port(), 0);
});

test('a distant source that fails gives the error event of listen, and the server can listen again', async () => {
  using world = createWorld(createDistantSource());
  const other = net.createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const scope = createScope();
  const server = runInScope(scope, () => net.createServer().listen(port, '127.0.0.1'));
  const [error] = (await once(server, 'error')) as [NodeJS.ErrnoException];
  assert.deepEqual([error.code, server.listening], ['EADDRINUSE', false]);
  other.close();
  runInScope(scope, () => server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  world.commit(scope);
});

test('a server that is closed while a distant source still binds leaves nothing bound', async () => {
  const local = createLocalListenerSource();
  const gate = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  using world = createWorld({
    async acquire(address) {
      await gate.promise;
      const handle = await local.acquire(address);
      const close = handle.close.bind(handle);
      handle.close = (callback) => {
        close(callback);
        closed.resolve();
      };
      return handle;
    },
  });
  const server = runInScope(createScope(), () => net.createServer().listen(0, () => assert.fail()));
  server.close();
  await once(server, 'close');
  gate.resolve();
  await closed.promise;
  assert.equal(world.adoption.listening().length, 0);
});
