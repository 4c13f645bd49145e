/** HTTP/2 sessions of a lame duck: told twice, and no stream is lost. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { test } from 'node:test';
import tls from 'node:tls';

import { stopClock } from '../support/stopped-clock.ts';
import { cert, key } from './servers-certificate.ts';
import { createWorld, type World } from './servers-fixture.ts';

const host = '127.0.0.1';

type Answer = (stream: http2.ServerHttp2Stream, path: string) => void;

const servers = {
  h2c: (answer: Answer) => () => listen(http2.createServer(), answer),
  TLS: (answer: Answer) => () => listen(http2.createSecureServer({ key, cert }), answer),
};

function listen(server: http2.Http2Server | http2.Http2SecureServer, answer: Answer): void {
  server.on('stream', (stream, headers) => answer(stream, headers[':path'] ?? ''));
  server.listen(0, host);
}

async function connect(world: World, name: string): Promise<http2.ClientHttp2Session> {
  const scheme = name === 'TLS' ? 'https' : 'http';
  const session = http2.connect(`${scheme}://${host}:${world.port()}`, { ca: cert });
  await once(session, 'remoteSettings');
  return session;
}

async function get(session: http2.ClientHttp2Session, path = '/'): Promise<string> {
  const stream = session.request({ ':path': path });
  return Buffer.concat(await stream.toArray()).toString();
}

for (const [name, toEvaluate] of Object.entries(servers)) {
  test(`over ${name} a session is told to end by one GOAWAY, after which a stream that was open is answered`, async () => {
    using world = createWorld();
    const slow = Promise.withResolvers<http2.ServerHttp2Stream>();
    await world.deploy(
      toEvaluate((stream, path) => {
        stream.respond();
        if (path === '/slow') slow.resolve(stream);
        else stream.end('quick');
      }),
    );
    const session = await connect(world, name);
    const told = once(session, 'goaway') as Promise<[code: number, lastStreamId: number]>;
    const answer = get(session, '/slow');
    const stream = await slow.promise;
    const drained = world.adoption.drain({ timeoutMs: 10_000 });
    assert.deepEqual((await told).slice(0, 2), [0, 1]);
    assert.equal(world.adoption.openWork()?.requests[0]?.url, '/slow');
    stream.end('whole');
    assert.equal(await answer, 'whole');
    assert.equal((await drained).timedOut, false);
  });

  test(`over ${name} no stream fails of a client that asks on and on, and opens a new session when it is told`, async () => {
    using world = createWorld();
    await world.deploy(
      toEvaluate((stream) => {
        stream.respond();
        setImmediate(() => stream.end('x'));
      }),
    );
    for (let round = 0; round < 3; round++) {
      const session = await connect(world, name);
      let answerCount = 0;
      const ask = async (): Promise<void> => {
        while (!session.closed && !session.destroyed) {
          assert.equal(await get(session), 'x');
          answerCount++;
        }
      };
      const asking = Promise.all(Array.from({ length: 20 }, ask));
      while (answerCount < 100) await new Promise((resolve) => setImmediate(resolve));
      const drained = world.adoption.drain({ timeoutMs: 10_000 });
      await asking;
      assert.equal((await drained).timedOut, false);
      world.adoption.undrain();
    }
  });
}

test('streams that come while a session is being told to end are answered, and the GOAWAY names the last of them', async (t) => {
  stopClock(t);
  using world = createWorld();
  await world.deploy(
    servers.h2c((stream) => {
      stream.respond();
      stream.end('x');
    }),
  );
  const socket = net.connect(world.port(), host);
  socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0)]));
  const frames = readFrames(socket);
  await frames.next();
  const drained = world.adoption.drain({ timeoutMs: 10_000 });
  const ping = await until(frames, ({ type }) => type === 6);
  // :method GET, :scheme http and :path / of the static table, :authority x. One is sent before the PING is answered, one after.
  const headers = Buffer.from([0x82, 0x86, 0x84, 0x41, 0x01, 0x78]);
  socket.write(
    Buffer.concat([frame(1, 5, 1, headers), frame(6, 1, 0, ping.payload), frame(1, 5, 3, headers)]),
  );
  const again = await until(frames, ({ type }) => type === 6);
  socket.write(frame(6, 1, 0, again.payload));
  const goAway = await until(frames, ({ type }) => type === 7);
  assert.equal(goAway.payload.readUInt32BE(0), 3);
  for (const streamId of [1, 3]) {
    const data = await until(frames, ({ type, payload }) => type === 0 && payload.length > 0);
    assert.deepEqual([data.streamId, data.payload.toString()], [streamId, 'x']);
  }
  assert.equal((await drained).timedOut, false);
});

test('https and HTTP/1 on an HTTP/2 server say Connection: close, and a handshake that is under way is answered', async () => {
  const kinds = [
    () => https.createServer({ key, cert }, (_request, response) => response.end('x')).listen(0, host),
    () =>
      http2
        .createSecureServer({ key, cert, allowHTTP1: true }, (_request, response) => response.end('x'))
        .listen(0, host),
  ];
  for (const evaluate of kinds) {
    using world = createWorld();
    await world.deploy(evaluate);
    const raw = net.connect(world.port(), host);
    await once(raw, 'connect');
    while (world.adoption.counts().openCount === 0) await new Promise((resolve) => setImmediate(resolve));
    await world.adoption.stopAccepting();
    const drained = world.adoption.drain({ timeoutMs: 10_000 });
    const socket = tls.connect({ socket: raw, ca: cert });
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    assert.match(Buffer.concat(await socket.toArray()).toString(), /connection: close[^]*x/i);
    assert.equal((await drained).timedOut, false);
  }
});

interface Frame {
  readonly type: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

function frame(type: number, flags: number, streamId: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

async function* readFrames(socket: net.Socket): AsyncGenerator<Frame, void> {
  let held = Buffer.alloc(0);
  for await (const chunk of socket) {
    held = Buffer.concat([held, chunk as Buffer]);
    while (held.length >= 9 && held.length >= 9 + held.readUIntBE(0, 3)) {
      const length = held.readUIntBE(0, 3);
      yield {
        type: held.readUInt8(3),
        streamId: held.readUInt32BE(5),
        payload: held.subarray(9, 9 + length),
      };
      held = held.subarray(9 + length);
    }
  }
}

async function until(frames: AsyncGenerator<Frame, void>, isIt: (frame: Frame) => boolean): Promise<Frame> {
  for (let next = await frames.next(); next.done !== true; next = await frames.next())
    if (isIt(next.value)) return next.value;
  throw new Error('the connection ended before the frame');
}
