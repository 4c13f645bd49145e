/** Servers that pause: their sockets are another process's, and of each an idle copy stays here, so that resuming needs nobody. */

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

import { runInScope } from '../../src/runtime/generation-scope.ts';
import type { ListenAddress } from '../../src/runtime/servers/listen-address.ts';
import type { ListenerHandle, ListenerSource } from '../../src/runtime/servers/listener-source.ts';
import { createWorld, type World } from './servers-fixture.ts';

const kBindingProcess = fileURLToPath(new URL('binding-process.ts', import.meta.url));

interface Binder extends Required<ListenerSource> {
  kill(): Promise<void>;
}

async function startBinder(t: TestContext): Promise<Binder> {
  const child = fork(kBindingProcess);
  t.after(() => child.kill('SIGKILL'));
  let lastId = 0;
  const acquire = async (address: ListenAddress): Promise<ListenerHandle> => {
    const id = ++lastId;
    const { promise, resolve } = Promise.withResolvers<ListenerHandle>();
    const onMessage = (message: { id: number }, handle: unknown): void => {
      if (message.id !== id) return;
      child.off('message', onMessage as never);
      resolve(handle as ListenerHandle);
    };
    child.on('message', onMessage as never);
    child.send({ id, address });
    return promise;
  };
  return {
    acquire,
    copy: acquire,
    async kill() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function toApp(target: string | 0 = 0): () => http.Server {
  return () => {
    const server = http.createServer((_, response) => response.end('served'));
    return target === 0 ? server.listen(0, '127.0.0.1') : server.listen(target);
  };
}

async function startApp(
  t: TestContext,
  source: ListenerSource,
  evaluate: () => unknown = toApp(),
): Promise<World> {
  const world = createWorld(source);
  t.after(() => world[Symbol.dispose]());
  await world.deploy(evaluate);
  return world;
}

/** Is answered when somebody accepts; it is connected before. */
async function ask(target: net.NetConnectOpts): Promise<{ readonly answer: Promise<string> }> {
  const socket = net.connect(target);
  await once(socket, 'connect');
  socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  return { answer: socket.toArray().then((chunks) => Buffer.concat(chunks).toString()) };
}

async function assertRefused(port: number): Promise<void> {
  await assert.rejects(once(net.connect(port, '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' });
}

test('what comes to paused servers waits, and is served when they resume, though whoever binds was killed', async (t) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'mf-pause-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = path.join(directory, 'app.sock');
  const binder = await startBinder(t);
  const world = await startApp(t, binder, () => {
    toApp()();
    toApp(file)();
  });
  // The name of the other is looked up.
  const port = world.port(1);
  await world.adoption.pauseAccepting();
  await binder.kill();
  const asked = [await ask({ port, host: '127.0.0.1' }), await ask({ path: file })];
  assert.equal(world.adoption.counts().openCount, 0);
  await world.adoption.resumeAccepting();
  for (const { answer } of asked) assert.match(await answer, /served$/);
});

test('resuming while a pause is under way leaves what accepts as it is', async (t) => {
  const binder = await startBinder(t);
  const asked = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  let copy: ListenerHandle | undefined;
  const world = await startApp(t, {
    acquire: binder.acquire,
    async copy(address) {
      asked.resolve();
      await gate.promise;
      return (copy = await binder.copy(address));
    },
  });
  const paused = world.adoption.pauseAccepting();
  await asked.promise;
  await world.adoption.resumeAccepting();
  gate.resolve();
  await paused;
  assert.match(await (await ask({ port: world.port(), host: '127.0.0.1' })).answer, /served$/);
  assert.ok((copy?.fd ?? 0) < 0, 'the copy has been closed');
});

test('a pause that can have no copy closes, and resuming asks for the listener again', async (t) => {
  const binder = await startBinder(t);
  const world = await startApp(t, {
    acquire: binder.acquire,
    copy: () => Promise.reject(new Error('no descriptor is left')),
  });
  const port = world.port();
  await world.adoption.pauseAccepting();
  const { answer } = await ask({ port, host: '127.0.0.1' });
  await world.adoption.resumeAccepting();
  assert.match(await answer, /served$/);
});

for (const [what, end] of [
  ['the app closes its server while it is paused', (_: World, server: http.Server) => server.close()],
  ['accepting is stopped for good while it is paused', (world: World) => world.adoption.stopAccepting()],
] as const) {
  test(`nothing keeps the socket when ${what}`, async (t) => {
    const binder = await startBinder(t);
    let server: http.Server | undefined;
    const world = await startApp(t, binder, () => (server = toApp()()));
    const port = world.port();
    await world.adoption.pauseAccepting();
    await binder.kill();
    await end(world, server ?? assert.fail());
    await new Promise(setImmediate);
    await assertRefused(port);
  });
}

test('a server that begins to listen while others are paused accepts when they do', async (t) => {
  const binder = await startBinder(t);
  const world = await startApp(t, binder);
  const scope = await world.deploy(toApp());
  const port = world.port();
  await world.adoption.pauseAccepting();
  const late = runInScope(scope, () =>
    net.createServer((socket) => socket.end('late')).listen(0, '127.0.0.1'),
  );
  await once(late, 'listening');
  const { answer } = await ask({ port, host: '127.0.0.1' });
  await world.adoption.resumeAccepting();
  assert.match(await answer, /served$/);
  const { port: latePort } = late.address() as net.AddressInfo;
  assert.equal(await (await ask({ port: latePort, host: '127.0.0.1' })).answer, 'late');
});
