/** Whether a generation is well, before anybody else can reach it. */

import assert from 'node:assert/strict';
import http from 'node:http';
import net, { type Socket } from 'node:net';
import { test } from 'node:test';
import { becomeHealthy, checkHealth } from '../../src/runtime/health.ts';
import { currentScope } from '../../src/runtime/generation-scope.ts';
import { createWorld, type World } from './servers-fixture.ts';

const nothing = { path: null, timeoutMs: 10_000 };

async function checkOwn(world: World, own: unknown, timeoutMs = 10_000): Promise<void> {
  const scope = await world.prepare(() => http.createServer().listen(0, '127.0.0.1'));
  await checkHealth(world.adoption, { scope, namespace: () => ({ health: own }) }, { path: null, timeoutMs });
}

const ill = (what: RegExp): object => ({ code: 'ERR_MIDFLIGHT_HEALTH_FAILED', message: what });

test('the own health() of an app has it ill when it throws, returns false, or does not return in time', async () => {
  using world = createWorld();
  await checkOwn(world, () => undefined);
  await checkOwn(world, async () => true);
  await assert.rejects(
    checkOwn(world, async () => false),
    ill(/health\(\) failed: it returned false/),
  );
  await assert.rejects(
    checkOwn(world, () => {
      throw new Error('no database');
    }),
    ill(/no database/),
  );
  await assert.rejects(
    checkOwn(world, async () => new Promise(() => null), 20),
    ill(/no answer in 20 ms/),
  );
});

test('what is called health and is no health check is let alone', async () => {
  using world = createWorld();
  await checkOwn(world, (_request: unknown, response: Socket) => response.end());
  await checkOwn(world, '/health');
});

test('the own health() runs as code of its generation', async () => {
  using world = createWorld();
  const scope = await world.prepare(() => http.createServer().listen(0, '127.0.0.1'));
  const health = (): boolean => currentScope() === scope;
  await checkHealth(world.adoption, { scope, namespace: () => ({ health }) }, nothing);
});

test('what a path answers is in the error, as far as it is short', async () => {
  using world = createWorld();
  const scope = await world.prepare(() =>
    http.createServer((_, response) => response.writeHead(503).end('no database')).listen(0, '127.0.0.1'),
  );
  const patient = { scope, namespace: () => null };
  await assert.rejects(
    checkHealth(world.adoption, patient, { ...nothing, path: '/health' }),
    ill(/GET \/health failed: it answered 503: no database$/),
  );
});

test('an address is well where a server of the generation takes a connection and keeps it', async () => {
  using world = createWorld();
  const check = async (onConnection: (socket: Socket) => void): Promise<void> => {
    const scope = await world.prepare(() => net.createServer(onConnection).listen(0, '127.0.0.1'));
    const address = `127.0.0.1:0`;
    await checkHealth(
      world.adoption,
      { scope, namespace: () => null },
      { ...nothing, tcp: toAddress(world, scope) ?? address },
    );
  };
  await check((socket) => void socket.resume());
  await check((socket) => void socket.write('220 ready\r\n'));
  await assert.rejects(
    check((socket) => void socket.destroy()),
    ill(/closed|ECONNRESET/),
  );
  const scope = await world.prepare(() => net.createServer().listen(0, '127.0.0.1'));
  await assert.rejects(
    checkHealth(world.adoption, { scope, namespace: () => null }, { ...nothing, tcp: '127.0.0.1:1' }),
    ill(/no server of it listens there/),
  );
});

function toAddress(world: World, scope: Parameters<World['commit']>[0]): string | null {
  const [address] = world.adoption.listening(scope);
  return address?.kind === 'tcp' ? `127.0.0.1:${address.port}` : null;
}

test('a generation that is ill fewer times than it may be is well', async () => {
  using world = createWorld();
  const scope = await world.prepare(() => http.createServer().listen(0, '127.0.0.1'));
  let count = 0;
  const health = (): boolean => ++count > 2;
  const patient = { scope, namespace: () => ({ health }) };
  const often = { ...nothing, intervalMs: 1 };
  await assert.rejects(
    becomeHealthy(world.adoption, patient, { ...often, failures: 2 }),
    ill(/returned false/),
  );
  assert.equal(count, 2);
  await becomeHealthy(world.adoption, patient, { ...often, failures: 1 });
  count = 0;
  await becomeHealthy(world.adoption, patient, { ...often, failures: 3 });
  assert.equal(count, 3);
});
