/** What is counted of requests: how many, how long, and which of them the service itself has failed. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { test } from 'node:test';
import { Histogram } from '../../src/protocol/histogram.ts';
import type { GenerationScope } from '../../src/runtime/generation-scope.ts';
import { kStartedUs, nowUs, ServiceMeter, type EndedAnswer } from '../../src/runtime/service-meter.ts';
import { createWorld, type World } from './servers-fixture.ts';

/** Asks, and resolves when the connection is over, whatever came of it. */
async function ask(world: World, path: string): Promise<void> {
  const socket = net.connect(world.port(), '127.0.0.1').on('error', () => null);
  socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`);
  await once(socket.resume(), 'close');
}

async function settled(scope: GenerationScope, count: number): Promise<readonly [number, number]> {
  for (;;) {
    const { answerCount, errorCount } = scope.meter?.sample() ?? { answerCount: 0, errorCount: 0 };
    if (answerCount >= count) return [answerCount, errorCount];
    await new Promise(setImmediate);
  }
}

test('answers of 500 and above and answers that the server breaks off are errors, others are not', async () => {
  using world = createWorld();
  const scope = await world.deploy(() =>
    http
      .createServer((request, response) => {
        if (request.url === '/broken') response.destroy();
        else if (request.url === '/half') response.write('half', () => request.socket.destroy());
        else response.writeHead(Number(request.url?.slice(1))).end('body');
      })
      .listen(0, '127.0.0.1'),
  );
  for (const [index, [path, errorCount]] of (
    [
      ['/200', 0],
      ['/404', 0],
      ['/500', 1],
      ['/503', 2],
      ['/broken', 3],
      ['/half', 4],
    ] as const
  ).entries()) {
    await ask(world, path);
    assert.deepEqual(await settled(scope, index + 1), [index + 1, errorCount], path);
  }
});

test('an answer that a client does not wait for is no error', async () => {
  using world = createWorld();
  let pending: http.ServerResponse | null = null;
  const scope = await world.deploy(() =>
    http.createServer((_, response) => void (pending = response)).listen(0, '127.0.0.1'),
  );
  for (const [index, leave] of (['end', 'destroy', 'resetAndDestroy'] as const).entries()) {
    pending = null;
    const socket = net.connect(world.port(), '127.0.0.1').on('error', () => null);
    socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
    while (pending === null) await new Promise(setImmediate);
    socket[leave]();
    assert.deepEqual(await settled(scope, index + 1), [index + 1, 0], leave);
  }
});

test('streams of HTTP/2 count as requests do', async () => {
  using world = createWorld();
  const scope = await world.deploy(() =>
    http2
      .createServer((request, response) => response.writeHead(Number(request.url.slice(1))).end())
      .listen(0, '127.0.0.1'),
  );
  const session = http2.connect(`http://127.0.0.1:${world.port()}`);
  for (const path of ['/200', '/500']) await once(session.request({ ':path': path }).resume(), 'close');
  assert.deepEqual(await settled(scope, 2), [2, 1]);
  session.destroy();
});

test('what comes before its generation is current does not count', async () => {
  using world = createWorld();
  const scope = await world.prepare(() =>
    http.createServer((_, response) => response.end()).listen(0, '127.0.0.1'),
  );
  await world.adoption.probe(scope, { path: '/', timeoutMs: 10_000 });
  world.commit(scope);
  await ask(world, '/');
  assert.deepEqual(await settled(scope, 1), [1, 0]);
});

for (const { kind, listen } of [
  {
    kind: 'HTTP/1',
    listen: () =>
      http
        .createServer((request, response) => response.writeHead(Number(request.url?.slice(1))).end())
        .listen(0, '127.0.0.1'),
  },
  {
    kind: 'HTTP/2',
    listen: () =>
      http2
        .createServer((request, response) => response.writeHead(Number(request.url.slice(1))).end())
        .listen(0, '127.0.0.1'),
  },
]) {
  test(`what a health check asks over ${kind} does not count, by a probe or through a door`, async () => {
    using world = createWorld();
    const scope = await world.deploy(listen);
    const { statusCode } = await world.adoption.probe(scope, { path: '/500', timeoutMs: 10_000 });
    assert.equal(statusCode, 500);
    const door = world.adoption.openDoor(scope);
    assert.ok(door);
    assert.equal(await statusOf(kind, door.port, '/501'), 501);
    door.close();
    assert.equal(await statusOf(kind, world.port(), '/200'), 200);
    assert.deepEqual(await settled(scope, 1), [1, 0]);
  });
}

async function statusOf(kind: string, port: number, path: string): Promise<number | undefined> {
  if (kind === 'HTTP/1') {
    const request = http.get({ host: '127.0.0.1', port, path, agent: false });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    await once(response.resume(), 'close');
    return response.statusCode;
  }
  const session = http2.connect(`http://127.0.0.1:${port}`);
  const stream = session.request({ ':path': path });
  const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
  await once(stream.resume(), 'close');
  session.close();
  return Number(headers[':status']);
}

test('the first answers of a generation have no latency, later ones theirs', (t) => {
  let nowMs = 1_000;
  t.mock.method(performance, 'now', () => nowMs);
  const meter = new ServiceMeter();
  meter.begin();
  const answer = (tookMs: number): void => {
    const ended: EndedAnswer = { [kStartedUs]: nowUs(), statusCode: 200 };
    nowMs += tookMs;
    meter.noteAnswer(ended);
  };
  for (let index = 0; index < 60; index++) answer(20);
  const { latencyUs, answerCount } = meter.sample();
  const histogram = Histogram.of(latencyUs);
  assert.deepEqual([answerCount, histogram.total], [60, 10]);
  assert.ok(histogram.valueAt(1) >= 20_000 && histogram.valueAt(10) < 22_500, String(histogram.valueAt(10)));
});

test('what was seen more than a minute ago is forgotten', (t) => {
  let nowMs = 0;
  t.mock.method(performance, 'now', () => nowMs);
  const meter = new ServiceMeter();
  meter.begin();
  for (let second = 0; second < 600; second++) {
    nowMs += 1_000;
    meter.noteAnswer({ [kStartedUs]: nowUs(), statusCode: second < 300 ? 500 : 200 });
  }
  const { answerCount, errorCount, durationMs } = meter.sample();
  assert.equal(errorCount, 0);
  assert.ok(answerCount >= 55 && answerCount <= 60, String(answerCount));
  assert.ok(durationMs >= 55_000 && durationMs <= 60_000, String(durationMs));
});

test('a clock of microseconds that wraps does no harm to a latency', (t) => {
  let nowMs = 2 ** 31 / 1_000 - 1;
  t.mock.method(performance, 'now', () => nowMs);
  const meter = new ServiceMeter();
  meter.begin();
  nowMs += 600;
  for (let index = 0; index < 50; index++) meter.noteAnswer({ [kStartedUs]: nowUs(), statusCode: 200 });
  for (const wraps of [2 ** 31, 2 ** 32]) {
    nowMs = wraps / 1_000 - 1;
    const ended: EndedAnswer = { [kStartedUs]: nowUs(), statusCode: 200 };
    nowMs += 3;
    meter.noteAnswer(ended);
    const { latencyUs } = meter.sample();
    assert.ok(Histogram.of(latencyUs).valueAt(1) < 3_500, JSON.stringify(latencyUs));
  }
});
