/** States between two ends of a socket: whole, or not at all. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { test, type TestContext } from 'node:test';

import type { EncodedState } from '../../src/runtime/state-entry.ts';
import { createFrameReader, writeFrame } from '../../src/runtime/state-frames.ts';
import {
  readStates,
  receiveStates,
  sendStates,
  toChecksum,
  type ReceiveOptions,
} from '../../src/runtime/state-transfer.ts';
import type { StateEncoding } from '../../src/runtime/state.ts';

const TIMEOUT_MS = 30_000;

function toState(name: string, bytes: Uint8Array): EncodedState {
  return { name, version: 1, bytes };
}

function toEncoding(name: string, make: () => Uint8Array): StateEncoding {
  return { name, encode: () => toState(name, make()) };
}

function socketPath(t: TestContext): string {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'mf-state-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return path.join(directory, 'state.sock');
}

/** A receiver that keeps what it gets. */
async function receiveAt(at: string, options: Partial<ReceiveOptions> = {}) {
  const taken: EncodedState[] = [];
  const { done } = await receiveStates({
    path: at,
    timeoutMs: TIMEOUT_MS,
    wanted: () => new Map(),
    async take(states) {
      taken.push(...states);
      return [];
    },
    ...options,
  });
  return { taken, done };
}

/** A transfer of two states as it goes over the wire, changed by `damage`. */
async function toWire(damage: (wire: Buffer) => Buffer = (wire) => wire): Promise<Buffer> {
  const stream = new PassThrough();
  for (const name of ['a', 'b']) {
    const bytes = Buffer.from(`contents of ${name}`);
    const header = { type: 'state', name, version: 1, sha256: toChecksum(bytes) };
    await writeFrame(stream, header, bytes);
  }
  const end = { type: 'end', count: 2 };
  await writeFrame(stream, end);
  stream.end();
  return damage(Buffer.concat(await stream.toArray()));
}

test('frames are read in whatever pieces they come', async () => {
  const wire = await toWire();
  for (const size of [1, 3, 7, wire.length]) {
    const pieces = Array.from({ length: Math.ceil(wire.length / size) }, (_, index) =>
      wire.subarray(index * size, (index + 1) * size),
    );
    const states = await readStates(createFrameReader(Readable.from(pieces)));
    assert.deepEqual(
      states.map(({ name, version, bytes }) => [name, version, String(bytes)]),
      [
        ['a', 1, 'contents of a'],
        ['b', 1, 'contents of b'],
      ],
    );
  }
});

test('a state with another checksum, one too few, and an end in the middle are refused', async () => {
  const flip = (wire: Buffer): Buffer =>
    Buffer.from(wire.toString('latin1').replace('contents of b', 'contents of c'), 'latin1');
  const miscount = (wire: Buffer): Buffer =>
    Buffer.from(wire.toString('latin1').replace('"count":2', '"count":3'), 'latin1');
  const cut = (wire: Buffer): Buffer => wire.subarray(0, wire.length - 30);
  const cases = [
    [flip, /the state "b" came with other bytes/],
    [miscount, /2 of 3 states came/],
    [cut, /hung up in the middle/],
    [() => Buffer.from([255, 255, 255, 255]), /a header of 4294967295 bytes came, and 16777216 is the limit/],
  ] as const;
  for (const [damage, message] of cases) {
    const wire = await toWire(damage);
    await assert.rejects(readStates(createFrameReader(Readable.from([wire]))), { message });
  }
});

test('states come over a socket that only the owner can open, and that is gone afterwards', async (t) => {
  const at = socketPath(t);
  const { taken, done } = await receiveAt(at, {
    wanted: () =>
      new Map([
        ['a', 1],
        ['b', null],
      ]),
  });
  assert.equal(statSync(at).mode & 0o777, 0o600);
  const sent = await sendStates({
    path: at,
    timeoutMs: TIMEOUT_MS,
    encode: (wanted) => {
      assert.deepEqual(
        [...wanted],
        [
          ['a', 1],
          ['b', null],
        ],
      );
      return [toEncoding('a', () => Buffer.from('one')), toEncoding('c', () => Buffer.from('three'))];
    },
  });
  await done;
  assert.deepEqual(
    taken.map(({ name, bytes }) => [name, String(bytes)]),
    [
      ['a', 'one'],
      ['c', 'three'],
    ],
  );
  assert.deepEqual(
    sent.states.map(({ name, byteCount }) => [name, byteCount]),
    [
      ['a', 3],
      ['c', 5],
    ],
  );
  assert.equal(existsSync(at), false);
});

test('120 MB come over, one state at a time, and no more than a write waits in the sender', async (t) => {
  const at = socketPath(t);
  const megabyte = 1024 * 1024;
  const bytes = Buffer.alloc(60 * megabyte, 'midflight');
  const { taken } = await receiveAt(at);
  let waiting = 0;
  const write = net.Socket.prototype.write;
  t.mock.method(
    net.Socket.prototype,
    'write',
    function (this: net.Socket, ...args: Parameters<typeof write>) {
      waiting = Math.max(waiting, this.writableLength);
      return Reflect.apply(write, this, args);
    },
  );
  const encode = (): StateEncoding[] => ['a', 'b'].map((name) => toEncoding(name, () => bytes));
  const { states } = await sendStates({ path: at, timeoutMs: TIMEOUT_MS, encode });
  assert.deepEqual(
    states.map(({ byteCount }) => byteCount / megabyte),
    [60, 60],
  );
  assert.ok(taken.every((each) => bytes.equals(each.bytes)) && taken.length === 2);
  assert.ok(waiting <= megabyte, `${waiting} bytes waited`);
});

test('what the receiver throws is what the sender hears, and what it can not take is told by name', async (t) => {
  const at = socketPath(t);
  await receiveAt(at, { take: () => Promise.reject(new Error('no room')) });
  const options = {
    path: at,
    timeoutMs: TIMEOUT_MS,
    encode: () => [toEncoding('a', () => Buffer.from('one'))],
  };
  await assert.rejects(sendStates(options), { message: /no room/ });
  await receiveAt(at, { take: async () => [{ name: 'a', error: new Error('too old') }] });
  const { problems } = await sendStates(options);
  assert.deepEqual(
    problems.map(({ name, error }) => [name, error.message]),
    [['a', 'too old']],
  );
});

test('a state that can not be encoded ends the transfer, and the receiver takes nothing', async (t) => {
  const at = socketPath(t);
  const { taken, done } = await receiveAt(at);
  const bad = toEncoding('bad', () => {
    throw new Error('it is a function');
  });
  const encode = (): StateEncoding[] => [toEncoding('good', () => Buffer.from('one')), bad];
  await assert.rejects(sendStates({ path: at, timeoutMs: TIMEOUT_MS, encode }), /it is a function/);
  await done;
  assert.deepEqual(taken, []);
  const lenient = await receiveAt(at);
  const left: string[] = [];
  await sendStates({ path: at, timeoutMs: TIMEOUT_MS, encode, onProblem: ({ name }) => left.push(name) });
  assert.deepEqual([lenient.taken.map(({ name }) => name), left], [['good'], ['bad']]);
});

test('a receiver that ends in the middle, one that never answers, and one that is not there are told apart', async (t) => {
  const at = socketPath(t);
  const encode = (): StateEncoding[] => [toEncoding('a', () => Buffer.alloc(8_000_000))];
  const code = 'ERR_MIDFLIGHT_STATE_TRANSFER_FAILED';
  await assert.rejects(sendStates({ path: at, timeoutMs: TIMEOUT_MS, encode }), { code, message: /ENOENT/ });
  const peer = net.createServer().listen(at);
  t.after(() => peer.close());
  await once(peer, 'listening');
  const sending = sendStates({ path: at, timeoutMs: TIMEOUT_MS, encode });
  const [socket] = (await once(peer, 'connection')) as [net.Socket];
  const wanted = { type: 'wanted', versions: [] };
  await writeFrame(socket, wanted);
  await once(socket, 'data');
  socket.destroy();
  await assert.rejects(sending, { code, message: /EPIPE|ECONNRESET|hung up/ });
  await assert.rejects(sendStates({ path: at, timeoutMs: 50, encode }), {
    code,
    message: /longer than 50 ms/,
  });
});

test('a sender that ends in the middle leaves the receiver as it was', async (t) => {
  const at = socketPath(t);
  const { taken, done } = await receiveAt(at);
  const socket = net.connect(at);
  await once(socket, 'data');
  socket.end((await toWire()).subarray(0, 60));
  await done;
  assert.deepEqual(taken, []);
});

test('a path that is too long for a socket is told with its length', async () => {
  await assert.rejects(receiveAt(`/tmp/${'x'.repeat(110)}`), {
    code: 'ERR_MIDFLIGHT_STATE_TRANSFER_FAILED',
    message: /has 115 bytes, and a Unix socket's ends at 107; move the app/,
  });
});

test('a receiver that nobody comes to listens no more after its time', async (t) => {
  const at = socketPath(t);
  const { done } = await receiveAt(at, { timeoutMs: 20 });
  await done;
  assert.equal(existsSync(at), false);
});
