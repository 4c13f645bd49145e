import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  type CarryAnswer,
  type CarryMessage,
  type CarryNote,
  MESSAGE_COMMAND,
  monotonicMs,
} from '../../src/protocol/messages.ts';
import { createCarryChannel } from '../../src/runtime/carry-channel.ts';
import type { ClientHandle } from '../../src/runtime/servers/node-internals.ts';

const carry = { kind: 'http', address: 'tcp:127.0.0.1:80', unread: '', detail: {} };

interface FakeHandle extends ClientHandle {
  isClosed: boolean;
}

function createHandle(): FakeHandle {
  const handle: FakeHandle = {
    isClosed: false,
    writeQueueSize: 0,
    close: () => (handle.isClosed = true),
    readStart: () => 0,
    readStop: () => 0,
  };
  return handle;
}

/** The worker's end, with what it has written, and an outcome of writing that the test decides. */
function createEnd(onSent: Error | null | 'never' = null, held: ReadonlySet<ClientHandle> = new Set()) {
  const written: (CarryMessage | CarryAnswer | CarryNote)[] = [];
  const done: string[] = [];
  let isOpen = true;
  const channel = createCarryChannel({
    post: (message, _, whenSent) => {
      written.push(message);
      if (onSent !== 'never') whenSent(onSent);
    },
    take: () => ({ status: 'accepted', start: () => done.push('started') }),
    onNote: ({ id }) => done.push(`note ${id}`),
    isOpen: () => isOpen,
    onGone() {
      done.push('gone');
      void channel.close();
    },
    findHeldElsewhere: (handles) => new Set(handles.filter((handle) => held.has(handle))),
  });
  return { channel, written, done, lose: () => (isOpen = false) };
}

test('a receiver starts only when its answer is written', () => {
  const message = { cmd: MESSAGE_COMMAND, carryId: 7, carry, expiresAtMs: monotonicMs() + 1_000 } as const;
  const unwritten = createEnd('never');
  unwritten.channel.onMessage(message, createHandle());
  assert.deepEqual(unwritten.done, []);
  const written = createEnd();
  written.channel.onMessage(message, createHandle());
  assert.deepEqual(written.written, [{ cmd: MESSAGE_COMMAND, carryId: 7, carried: 'accepted' }]);
  assert.deepEqual(written.done, ['started']);
});

test('a receiver whose answer can not be written lets go of the connection', () => {
  const { channel, done } = createEnd(new Error('EPIPE'));
  const handle = createHandle();
  channel.onMessage({ cmd: MESSAGE_COMMAND, carryId: 7, carry, expiresAtMs: monotonicMs() + 1_000 }, handle);
  assert.deepEqual([handle.isClosed, done], [true, []]);
});

test('a receiver refuses what has expired, and what came without its handle', () => {
  const { channel, written, done } = createEnd();
  const handle = createHandle();
  channel.onMessage({ cmd: MESSAGE_COMMAND, carryId: 1, carry, expiresAtMs: monotonicMs() }, handle);
  channel.onMessage(
    { cmd: MESSAGE_COMMAND, carryId: 2, carry, expiresAtMs: monotonicMs() + 1_000 },
    undefined,
  );
  assert.deepEqual(
    written.map((message) => 'reason' in message && message.reason),
    ['it came too late', 'its handle did not arrive'],
  );
  assert.deepEqual([handle.isClosed, done], [true, []]);
});

test('a giver keeps what can not be written', async () => {
  const { channel } = createEnd(new Error('EBADF'));
  assert.deepEqual(await channel.give(carry, createHandle()), { status: 'refused', reason: 'EBADF' });
});

test('a giver keeps what it had offered when its host ends, also where Node does not say so', async () => {
  const { channel, done, lose } = createEnd('never');
  const outcome = channel.give(carry, createHandle());
  lose();
  assert.deepEqual(await outcome, { status: 'refused', reason: 'the channel is closed' });
  assert.deepEqual(done, ['gone']);
});

test('a giver whose host ends leaves to another process what that keeps, and goes on with what that lets go of', async () => {
  const [taken, dropped] = [createHandle(), createHandle()];
  const held = new Set<ClientHandle>([taken, dropped]);
  const { channel } = createEnd('never', held);
  const outcomes = Promise.all([taken, dropped].map(async (handle) => channel.give(carry, handle)));
  const closed = channel.close();
  setTimeout(() => held.delete(dropped), 10);
  await closed;
  assert.deepEqual(await outcomes, [
    { status: 'accepted' },
    { status: 'refused', reason: 'the channel is closed' },
  ]);
});

test('an answer settles its own offer and no other', async () => {
  const { channel } = createEnd();
  const first = channel.give(carry, createHandle());
  const second = channel.give(carry, createHandle());
  channel.onMessage({ cmd: MESSAGE_COMMAND, carryId: 2, carried: 'refused', reason: 'full' }, undefined);
  channel.onMessage({ cmd: MESSAGE_COMMAND, carryId: 1, carried: 'accepted' }, undefined);
  assert.deepEqual(await Promise.all([first, second]), [
    { status: 'accepted' },
    { status: 'refused', reason: 'full' },
  ]);
});

test('a connection that takes too long to revive is refused, and let go of', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const written: (CarryMessage | CarryAnswer | CarryNote)[] = [];
  const channel = createCarryChannel({
    post: (message) => {
      written.push(message);
      resolve();
    },
    take: async () => {
      while (monotonicMs() < expiresAtMs) await new Promise((next) => setTimeout(next, 1));
      return { status: 'accepted', start: () => assert.fail('started'), discard: () => (isDiscarded = true) };
    },
    onNote: () => assert.fail('nobody sent one'),
    isOpen: () => true,
    onGone: () => assert.fail('it is open'),
    findHeldElsewhere: () => new Set(),
  });
  let isDiscarded = false;
  const expiresAtMs = monotonicMs() + 200;
  channel.onMessage({ cmd: MESSAGE_COMMAND, carryId: 7, carry, expiresAtMs }, createHandle());
  await promise;
  assert.deepEqual(written, [
    { cmd: MESSAGE_COMMAND, carryId: 7, carried: 'refused', reason: 'it took too long' },
  ]);
  assert.equal(isDiscarded, true);
});

test('a note that follows a connection goes out, and comes in, without an answer', () => {
  const note = { kind: 'websocket', id: '4.2', bytes: '' };
  const { channel, written, done } = createEnd();
  channel.sendNote(note);
  channel.onMessage({ cmd: MESSAGE_COMMAND, carryId: 0, note }, undefined);
  assert.deepEqual(written, [{ cmd: MESSAGE_COMMAND, carryId: 0, note }]);
  assert.deepEqual(done, ['note 4.2']);
});
