/** What is left of generations: nothing that grows. */

import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import v8 from 'node:v8';
import vm from 'node:vm';

import { runInScope } from '../../src/runtime/generation-scope.ts';
import { type ModuleOrigin, runAsModule } from '../../src/runtime/origin.ts';
import { createClient, createScope, createWorld } from './servers-fixture.ts';

v8.setFlagsFromString('--expose-gc');
const gc = vm.runInNewContext('gc') as () => void;

const collect = async (): Promise<void> => {
  for (let round = 0; round < 5; round++) {
    gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
};

const evaluate = (code: { text: string }) => () =>
  http.createServer((_request, response) => response.end(code.text)).listen(0, '127.0.0.1');

test('a retired generation is collected though a connection that it accepted is still open', async () => {
  using world = createWorld();
  const deploy = async () => {
    const code = { text: 'one' };
    return { scope: await world.deploy(evaluate(code)), code: new WeakRef(code) };
  };
  const { scope, code } = await deploy();
  using client = createClient(world.port());
  const first = await client.get();
  await world.deploy(evaluate({ text: 'two' }));
  world.retire(scope);
  const second = await client.get();
  await collect();
  assert.equal(second.clientPort, first.clientPort);
  assert.equal(code.deref(), undefined);
});

test('generations that came and went leave no listener, no timer and no address', async () => {
  using world = createWorld();
  let before = await world.deploy(evaluate({ text: '0' }));
  using client = createClient(world.port());
  const resources = (): number => process.getActiveResourcesInfo().length;
  await client.get();
  const baseline = resources();
  const codes: WeakRef<object>[] = [];
  for (let count = 1; count <= 100; count++) {
    const code = { text: String(count) };
    codes.push(new WeakRef(code));
    const next = await world.deploy(evaluate(code));
    assert.equal((await client.get()).body, String(count));
    world.retire(before);
    before = next;
  }
  await collect();
  assert.equal(world.adoption.listening().length, 1);
  assert.ok(resources() <= baseline + 1);
  assert.ok(codes.filter((code) => code.deref() !== undefined).length <= 2);
});

test('a server of a shared module serves on in the next generation, beside new ones, and comes back with a rollback', async () => {
  using world = createWorld();
  const shared: ModuleOrigin = { kind: 'module', path: 'admin.js' };
  const entry = (): ModuleOrigin => ({ kind: 'module', path: 'main.js' });
  const one = await world.deploy(() => {
    runAsModule(shared, evaluate({ text: 'admin' }));
    runAsModule(entry(), evaluate({ text: 'one' }));
  });
  using admin = createClient(world.port(0));
  using main = createClient(world.port(1));
  await admin.get();
  await main.get();
  const before = world.adoption.listening();
  const two = createScope();
  world.adoption.inherit(two, (origin) => origin === shared);
  runInScope(two, () => runAsModule(entry(), evaluate({ text: 'two' })));
  await world.adoption.whenListening(two, { timeoutMs: 30_000 });
  world.commit(two);
  assert.deepEqual(world.adoption.listening(), before);
  assert.deepEqual([(await admin.get()).body, (await main.get()).body], ['admin', 'two']);
  world.rollback(one);
  assert.deepEqual([(await admin.get()).body, (await main.get()).body], ['admin', 'one']);
  assert.deepEqual([one.inFlightCount, two.inFlightCount], [0, 0]);
});

test('a listener that can not listen makes commit fail and leaves the generation before in charge', async () => {
  using world = createWorld();
  await world.deploy(evaluate({ text: 'one' }));
  using client = createClient(world.port());
  await client.get();
  const two = await world.prepare(evaluate({ text: 'two' }));
  const three = await world.prepare(() => {
    evaluate({ text: 'three' })();
    evaluate({ text: 'more' })();
  });
  const port = (world.adoption.listening(three)[1] as { port: number }).port;
  const thief = http.createServer().listen(port, '127.0.0.1');
  await new Promise((resolve) => thief.once('listening', resolve));
  assert.throws(() => world.adoption.commit(three), { code: 'EADDRINUSE', syscall: 'listen' });
  assert.equal((await client.get()).body, 'one');
  thief.close();
  for (const scope of [two, three]) {
    scope.status = 'aborted';
    world.adoption.abort(scope);
  }
});
