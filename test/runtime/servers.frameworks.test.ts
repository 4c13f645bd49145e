/** Unmodified frameworks in two generations: the promise "an unmodified app works". */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type net from 'node:net';
import { test } from 'node:test';
import tls from 'node:tls';

import { serve } from '@hono/node-server';
// @ts-expect-error express has no types
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
// @ts-expect-error koa has no types
import Koa from 'koa';
import { Server as SocketServer } from 'socket.io';
import { io } from 'socket.io-client';
import { WebSocket, WebSocketServer } from 'ws';

import { cert, key } from './servers-certificate.ts';
import { createClient, createWorld } from './servers-fixture.ts';

type Hold = (end: (text: string) => void) => void;

interface Reply {
  send(text: string): void;
}

interface Framework {
  readonly name: string;
  /** Starts an app that answers `/` with `text`, and `/slow` with `text` once it is told to. */
  start(text: string, hold: Hold): unknown;
}

const host = '127.0.0.1';

const frameworks: readonly Framework[] = [
  {
    name: 'node:http',
    start: (text, hold) =>
      http
        .createServer((request, response) => {
          if (request.url === '/slow') hold((end) => response.end(end));
          else response.end(text);
        })
        .listen({ port: 0, host }),
  },
  {
    name: 'Express',
    start(text, hold) {
      const app = express();
      app.get('/', (_request: unknown, response: Reply) => response.send(text));
      app.get('/slow', (_request: unknown, response: Reply) => hold((end) => response.send(end)));
      return app.listen(0, host);
    },
  },
  {
    name: 'Fastify',
    start(text, hold) {
      const app = fastify();
      app.get('/', async () => text);
      app.get('/slow', (_request, reply) => hold((end) => reply.send(end)));
      return app.listen({ port: 0, host });
    },
  },
  {
    name: 'Koa',
    start(text, hold) {
      const app = new Koa();
      app.use(async (context: { path: string; body: string }) => {
        context.body =
          context.path === '/slow' ? await new Promise<string>((resolve) => hold(resolve)) : text;
      });
      return app.listen(0, host);
    },
  },
  {
    name: '@hono/node-server',
    start(text, hold) {
      const app = new Hono();
      app.get('/', (context) => context.text(text));
      app.get('/slow', async (context) =>
        context.text(await new Promise<string>((resolve) => hold(resolve))),
      );
      return serve({ fetch: app.fetch, port: 0, hostname: host });
    },
  },
];

for (const { name, start } of frameworks) {
  test(`${name}: the same connection gets the new code, a slow request ends in the old`, async () => {
    using world = createWorld();
    const held = Promise.withResolvers<(text: string) => void>();
    const one = await world.deploy(() => start('one', (end) => held.resolve(end)));
    using client = createClient(world.port());
    using slowClient = createClient(world.port());
    const first = await client.get();
    const slow = slowClient.get('/slow');
    const end = await held.promise;
    await world.deploy(() => start('two', () => undefined));
    const second = await client.get();
    assert.deepEqual([first.body, second.body], ['one', 'two']);
    assert.equal(second.clientPort, first.clientPort);
    assert.equal(one.inFlightCount, 1);
    end('from one');
    assert.equal((await slow).body, 'from one');
    world.retire(one);
    assert.equal((await slowClient.get()).body, 'two');
    assert.deepEqual(world.adoption.counts(), { inFlightCount: 0, openCount: 2, upgradedCount: 0 });
  });
}

test('https: a keep-alive TLS connection gets the new code', async () => {
  using world = createWorld();
  const evaluate = (text: string) => () =>
    https.createServer({ key, cert }, (_request, response) => response.end(text)).listen(0, host);
  const one = await world.deploy(evaluate('one'));
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ca: cert });
  const get = async (): Promise<[string, number | undefined]> => {
    const request = https.get({ port: world.port(), host, agent });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    const port = response.socket.localPort;
    return [String((await response.toArray())[0]), port];
  };
  const first = await get();
  const two = await world.prepare(evaluate('two'));
  assert.equal((await world.adoption.probe(two, { path: '/', timeoutMs: 30_000 })).statusCode, 200);
  world.commit(two);
  world.retire(one);
  const second = await get();
  agent.destroy();
  assert.deepEqual([first[0], second[0]], ['one', 'two']);
  assert.equal(second[1], first[1]);
});

test('http2: an open session gets the new code in its next stream, by streams and by requests', async () => {
  using world = createWorld();
  const one = await world.deploy(() => {
    const server = http2.createSecureServer({ key, cert });
    server.on('stream', (stream) => {
      stream.respond();
      stream.end('one');
    });
    server.listen(0, host);
  });
  const session = http2.connect(`https://${host}:${world.port()}`, { ca: cert });
  const get = async (): Promise<string> => String((await session.request({ ':path': '/' }).toArray())[0]);
  assert.equal(await get(), 'one');
  const two = await world.prepare(() =>
    http2.createSecureServer({ key, cert }, (_request, response) => response.end('two')).listen(0, host),
  );
  assert.equal((await world.adoption.probe(two, { path: '/', timeoutMs: 30_000 })).statusCode, 200);
  world.commit(two);
  world.retire(one);
  assert.equal(await get(), 'two');
  assert.equal(two.inFlightCount, 0);
  const drained = world.adoption.drain({ timeoutMs: 30_000 });
  await once(session, 'close');
  assert.equal((await drained).timedOut, false);
});

test('tls: connections go to the new generation, those that are open stay', async () => {
  using world = createWorld();
  const evaluate = (text: string) => () =>
    tls.createServer({ key, cert }, (socket) => socket.on('data', () => socket.write(text))).listen(0, host);
  const ask = async (socket: tls.TLSSocket): Promise<string> => {
    socket.write('?');
    return String((await once(socket, 'data'))[0]);
  };
  await world.deploy(evaluate('one'));
  const first = tls.connect({ port: world.port(), host, ca: cert });
  assert.equal(await ask(first), 'one');
  await world.deploy(evaluate('two'));
  const second = tls.connect({ port: world.port(), host, ca: cert });
  assert.deepEqual([await ask(first), await ask(second)], ['one', 'two']);
  first.destroy();
  second.destroy();
});

test('ws: an open WebSocket stays with the generation that accepted it, also after that has retired', async () => {
  using world = createWorld();
  const evaluate = (text: string) => () => {
    const server = http.createServer();
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (socket) =>
      socket.on('message', (data) => socket.send(`${text} ${(data as Buffer).toString()}`)),
    );
    server.listen(0, host);
  };
  const ask = async (socket: WebSocket): Promise<string> => {
    socket.send('hi');
    return String((await once(socket, 'message'))[0]);
  };
  const one = await world.deploy(evaluate('one'));
  const old = new WebSocket(`ws://${host}:${world.port()}`);
  await once(old, 'open');
  await world.deploy(evaluate('two'));
  assert.equal((await world.adoption.whenQuiet(one, { timeoutMs: 30_000 })).upgradedCount, 1);
  world.retire(one);
  const fresh = new WebSocket(`ws://${host}:${world.port()}`);
  await once(fresh, 'open');
  assert.deepEqual([await ask(old), await ask(fresh)], ['one hi', 'two hi']);
  assert.equal(world.adoption.counts().upgradedCount, 2);
  old.terminate();
  fresh.terminate();
});

test('an upgrade on a keep-alive connection of the old generation is taken by the new', async () => {
  using world = createWorld();
  const evaluate = (text: string) => () => {
    const server = http.createServer((_request, response) => response.end(text));
    server.on('upgrade', (_request, socket: net.Socket) =>
      socket.end(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${text}\r\n\r\n`),
    );
    server.listen(0, host);
  };
  await world.deploy(evaluate('one'));
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const first = http.get({ host, port: world.port(), agent });
  const [response] = (await once(first, 'response')) as [http.IncomingMessage];
  const { localPort } = response.socket;
  await response.toArray();
  await world.deploy(evaluate('two'));
  const upgrade = http.get({
    host,
    port: world.port(),
    agent,
    headers: { connection: 'upgrade', upgrade: 'x' },
  });
  const [answer, socket] = (await once(upgrade, 'upgrade')) as [http.IncomingMessage, net.Socket];
  assert.deepEqual([answer.headers.upgrade, socket.localPort], ['two', localPort]);
  agent.destroy();
  socket.destroy();
});

test('Socket.IO: an open client lives on in the old generation, a new one is served by the new', async () => {
  using world = createWorld();
  const evaluate = (text: string) => () => {
    const server = http.createServer();
    new SocketServer(server).on('connection', (socket) =>
      socket.on('who', (reply: (who: string) => void) => reply(text)),
    );
    server.listen(0, host);
  };
  const connect = async () => {
    const socket = io(`http://${host}:${world.port()}`, {
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
    });
    await new Promise<void>((resolve) => void socket.on('connect', resolve));
    return socket;
  };
  const one = await world.deploy(evaluate('one'));
  const old = await connect();
  await world.deploy(evaluate('two'));
  world.retire(one);
  const fresh = await connect();
  assert.deepEqual([await old.emitWithAck('who'), await fresh.emitWithAck('who')], ['one', 'two']);
  old.disconnect();
  fresh.disconnect();
});
