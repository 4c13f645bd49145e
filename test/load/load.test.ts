/** The strict clients see every kind of failure, and none where there is none: a load that can't fail proves nothing. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { WebSocketServer } from 'ws';
import { startLoad, type ClientKind } from '../../scripts/load/load.ts';
import type { LoadReport } from '../../scripts/load/tally.ts';

const one = JSON.stringify({ version: 'one', versionAfter: 'one' });

/** Serves until the clients of one kind have met `count` answers or failures. */
async function meet(
  t: TestContext,
  kind: ClientKind,
  listener: RequestListener,
  count = 3,
): Promise<LoadReport> {
  let asked = 0;
  const enough = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    if (++asked > count) enough.resolve();
    listener(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const load = startLoad({ origin: `http://127.0.0.1:${port}`, clients: { [kind]: 1 } });
  await enough.promise;
  return load.stop();
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let length = 0;
  for await (const chunk of request) length += (chunk as Buffer).length;
  if (request.url === '/events') response.end(`data: ${one}\n\n`.repeat(10));
  else response.end(JSON.stringify({ version: 'one', versionAfter: 'one', length }));
}

for (const kind of ['keepAlive', 'strict', 'newConnection', 'slow', 'upload', 'events'] as const) {
  test(`${kind}: a good server fails nothing`, async (t) => {
    const report = await meet(t, kind, (request, response) => void answer(request, response));
    assert.deepEqual(report.failures, []);
    assert.ok(report.requests >= 3);
    assert.deepEqual([...report.versions], [['one', report.requests]]);
  });
}

interface Bad {
  readonly name: string;
  readonly kind: ClientKind;
  readonly listener: RequestListener;
  readonly reason: RegExp;
}

const bad: readonly Bad[] = [
  {
    name: 'an error status',
    kind: 'newConnection',
    listener: (_, response) => response.writeHead(503).end('gone'),
    reason: /status 503: gone/,
  },
  {
    name: 'a connection that is reset before the answer',
    kind: 'keepAlive',
    listener: (request) => request.socket.resetAndDestroy(),
    reason: /ECONNRESET/,
  },
  {
    name: 'a connection that is closed before the answer',
    kind: 'keepAlive',
    listener: (request) => request.socket.end(),
    reason: /socket hang up/,
  },
  {
    name: 'an answer that is cut short',
    kind: 'slow',
    listener(request, response) {
      response.writeHead(200, { 'content-length': 1_000 });
      response.write(one, () => request.socket.destroy());
    },
    reason: /aborted/,
  },
  {
    name: 'an answer made by two versions',
    kind: 'keepAlive',
    listener: (_, response) => response.end(JSON.stringify({ version: 'one', versionAfter: 'two' })),
    reason: /mixes the versions one and two/,
  },
  {
    name: 'a stream made by two versions',
    kind: 'events',
    listener: (_, response) =>
      response.end(`data: ${one}\n\n`.repeat(9) + `data: ${one.replaceAll('one', 'two')}\n\n`),
    reason: /mixes the versions/,
  },
  {
    name: 'a stream that ends early',
    kind: 'events',
    listener: (_, response) => response.end(`data: ${one}\n\n`.repeat(4)),
    reason: /4 of 10 events/,
  },
  {
    name: 'an upload that did not arrive',
    kind: 'upload',
    listener(request, response) {
      request
        .resume()
        .on('end', () => response.end(JSON.stringify({ version: 'one', versionAfter: 'one', length: 7 })));
    },
    reason: /7 bytes arrived/,
  },
];

for (const { name, kind, listener, reason } of bad) {
  test(`${kind}: ${name} is a failure`, async (t) => {
    const report = await meet(t, kind, listener, 1);
    assert.ok(report.failed > 0);
    assert.equal(report.failed, report.requests);
    for (const failure of report.failures) assert.match(failure.reason, reason);
  });
}

test('strict: a kept connection that the server closes without announcing it fails the next request', async (t) => {
  const report = await meet(t, 'strict', (request, response) => {
    response.end(one);
    setImmediate(() => request.socket.end());
  });
  assert.ok(report.failed > 0);
  for (const failure of report.failures)
    assert.match(failure.reason, /closed while idle|socket hang up|ECONN/);
});

test('strict: a connection that is closed after Connection: close fails nothing', async (t) => {
  const report = await meet(t, 'strict', (_, response) =>
    response.writeHead(200, { connection: 'close' }).end(one),
  );
  assert.deepEqual(report.failures, []);
});

test('a connection that is refused is a failure', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  const load = startLoad({ origin: `http://127.0.0.1:${port}`, clients: { newConnection: 1 } });
  const report = await load.stop();
  assert.match(report.failures[0]?.reason ?? '', /ECONNREFUSED/);
});

test('webSocket: messages are answered, and a closed socket is lost', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const closings = Promise.withResolvers<void>();
  let connections = 0;
  new WebSocketServer({ server }).on('connection', (socket) => {
    connections++;
    if (connections === 3) closings.resolve();
    socket.on('message', (data: Buffer) => {
      socket.send(`you said ${data.toString()}`);
      if (connections < 3) socket.close(1012);
    });
  });
  const { port } = server.address() as AddressInfo;
  const load = startLoad({ origin: `http://127.0.0.1:${port}`, clients: { webSocket: 1 } });
  await closings.promise;
  const { webSockets, failures } = await load.stop();
  assert.deepEqual(failures, []);
  assert.equal(webSockets.lost, 2);
  assert.equal(webSockets.opened, 3);
  assert.ok(webSockets.messages >= 1);
});
