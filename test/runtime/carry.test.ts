import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import https from 'node:https';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import { RawClient, toGet } from '../support/raw-client.ts';
import { createCarryWorld } from './carry-fixture.ts';
import { cert } from './servers-certificate.ts';

test('an idle connection goes on in the next process, and its client sees nothing of it', async () => {
  await using world = createCarryWorld();
  const old = await world.start();
  const client = await RawClient.connect(world.port());
  assert.equal((await client.get('/one')).pid, old.pid);
  const next = await world.start();
  const { carriedCount, refusedCount } = await world.carry(old, next);
  assert.deepEqual({ carriedCount, refusedCount }, { carriedCount: 1, refusedCount: 0 });
  const answer = await client.get('/two');
  assert.deepEqual(answer, { status: 200, pid: next.pid, isClosing: false, body: '/two 0' });
  assert.deepEqual(await old.ask({ type: 'counts' }), { connectionCount: 1, openCount: 0 });
});

/** A request that is in some state when its connection is to be carried, and what ends it. */
const busy = {
  'a header that is half sent': { begin: 'GET /x HTTP/1.1\r\nho', end: 'st: x\r\n\r\n', bodies: ['/x 0'] },
  'a body that is half sent': {
    begin: 'POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\nabc',
    end: 'def',
    bodies: ['/x 6'],
  },
  'a body that is half sent, and answered already': {
    begin: 'POST /early HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\nabc',
    end: 'def',
    bodies: ['early'],
  },
  'a request that waits for 100 Continue': {
    begin: 'POST /x HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n',
    end: 'abc',
    bodies: ['', '/x 3'],
  },
  'pipelined requests and half of another': {
    begin: toGet('/slow/50').repeat(3) + 'GET /x HTT',
    end: 'P/1.1\r\nhost: x\r\n\r\n',
    bodies: ['/slow/50 0', '/slow/50 0', '/slow/50 0', '/x 0'],
  },
};

test('what has begun is answered where it began, whatever it waits for, and its connection is carried then', async () => {
  await using world = createCarryWorld();
  const old = await world.start();
  const cases = await Promise.all(
    Object.entries(busy).map(async ([name, each]) => {
      const client = await RawClient.connect(world.port());
      await client.get('/first');
      client.write(each.begin);
      return { name, client, ...each };
    }),
  );
  const idle = await RawClient.connect(world.port());
  await idle.get('/after');
  const next = await world.start();
  const carried = world.carry(old, next);
  await idle.getFrom(next.pid);
  for (const { name, client, end, bodies } of cases) {
    client.write(end);
    for (const body of bodies) {
      const answer = await client.answer();
      // `100 Continue` has no header.
      assert.deepEqual([answer.body, answer.pid || old.pid, answer.isClosing], [body, old.pid, false], name);
    }
  }
  assert.equal((await carried).carriedCount, cases.length + 1);
  for (const { name, client } of cases)
    assert.deepEqual(
      await client.get('/y'),
      { status: 200, pid: next.pid, isClosing: false, body: '/y 0' },
      name,
    );
});

test('an answer that is still being sent to a slow reader is sent to its end, and the connection is carried then', async () => {
  await using world = createCarryWorld();
  const old = await world.start();
  const client = await RawClient.connect(world.port());
  client.socket.pause();
  client.write(toGet('/large/16'));
  const other = await RawClient.connect(world.port());
  await other.get('/slow/100');
  const next = await world.start();
  const carried = world.carry(old, next);
  for (let pid = old.pid; pid !== next.pid; { pid } = await other.get('/'));
  client.socket.resume();
  const { body, pid, isClosing } = await client.answer();
  assert.deepEqual([body.length, pid, isClosing], [16 * 1024 * 1024, old.pid, false]);
  assert.equal((await carried).carriedCount, 2);
  assert.equal((await client.get('/x')).pid, next.pid);
});

test('connections of a Unix socket are carried too', async (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-carry-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const socketPath = path.join(directory, 'app.sock');
  await using world = createCarryWorld({ path: socketPath });
  const old = await world.start();
  const client = await RawClient.connect(0, socketPath);
  await client.get('/one');
  const next = await world.start();
  assert.equal((await world.carry(old, next)).carriedCount, 1);
  assert.equal((await client.get('/two')).pid, next.pid);
});

test('a connection that has sent nothing yet is carried', async () => {
  await using world = createCarryWorld();
  const old = await world.start();
  const client = await RawClient.connect(world.port());
  const other = await RawClient.connect(world.port());
  await other.get('/');
  const next = await world.start();
  assert.equal((await world.carry(old, next)).carriedCount, 2);
  assert.equal((await client.get('/x')).pid, next.pid);
});

test('what the next server has no place for stays, and is asked to leave with its next answer', async () => {
  await using world = createCarryWorld({ settings: { maxConnections: 2 } });
  const old = await world.start();
  const clients = [await RawClient.connect(world.port()), await RawClient.connect(world.port())];
  for (const client of clients) await client.get('/');
  const next = await world.start();
  await old.ask({ type: 'pause' });
  const third = await RawClient.connect(world.port());
  await third.get('/');
  const { carriedCount, refusedCount } = await world.carry(old, next);
  assert.deepEqual([carriedCount, refusedCount], [1, 1]);
  const answers = await Promise.all(clients.map((client) => client.get('/')));
  const byPid = answers.toSorted((one) => (one.pid === old.pid ? -1 : 1));
  assert.deepEqual(
    byPid.map(({ pid, isClosing }) => [pid, isClosing]),
    [
      [old.pid, true],
      [next.pid, false],
    ],
  );
});

test('without a receiver every connection stays, and leaves with its next answer', async () => {
  await using world = createCarryWorld();
  const old = await world.start();
  const client = await RawClient.connect(world.port());
  await client.get('/');
  const carried = old.ask({ type: 'carry', timeoutMs: 10_000 });
  await old.ask({ type: 'pause' });
  assert.deepEqual(await client.get('/x'), { status: 200, pid: old.pid, isClosing: true, body: '/x 0' });
  assert.partialDeepStrictEqual(await carried, { carriedCount: 0, refusedCount: 1 });
});

test('an upgraded socket that nobody knows how to carry stays, and works', async () => {
  await using world = createCarryWorld();
  const old = await world.start();
  const client = await RawClient.connect(world.port());
  client.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
  assert.equal((await client.answer()).status, 101);
  const next = await world.start();
  assert.equal((await world.carry(old, next)).carriedCount, 0);
  client.write('HTTP/1.1 299 echo\r\n\r\n');
  assert.equal((await client.answer()).status, 299);
});

test('a TLS connection is not carried, and leaves with its next answer', async () => {
  await using world = createCarryWorld({ settings: { protocol: 'https' } });
  const old = await world.start();
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ca: cert });
  const get = async (): Promise<unknown[]> => {
    const request = https.get({ host: 'localhost', port: world.port(), agent });
    const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage];
    response.resume();
    await once(response, 'end');
    return [Number(response.headers['x-pid']), response.headers.connection];
  };
  assert.deepEqual(await get(), [old.pid, 'keep-alive']);
  const next = await world.start();
  assert.equal((await world.carry(old, next)).carriedCount, 0);
  assert.deepEqual(await get(), [old.pid, 'close']);
  assert.deepEqual(await get(), [next.pid, 'keep-alive']);
  agent.destroy();
});

test('an HTTP/2 session is not carried, and is told to go away', async () => {
  await using world = createCarryWorld({ settings: { protocol: 'http2' } });
  const old = await world.start();
  const session = http2.connect(`http://127.0.0.1:${world.port()}`);
  await once(session, 'connect');
  await once(session.request({ ':path': '/' }).resume(), 'end');
  const left = once(session, 'goaway');
  const next = await world.start();
  assert.equal((await world.carry(old, next)).carriedCount, 0);
  await left;
  session.close();
});
