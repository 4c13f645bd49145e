import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  type CarryAnswer,
  type CarryMessage,
  type CarryNote,
  MESSAGE_COMMAND,
} from '../../src/protocol/messages.ts';
import { createCarryRelay } from '../../src/supervisor/carry-relay.ts';

const carry = { kind: 'http', address: 'tcp:127.0.0.1:80', unread: '', detail: {} };

function createWorld() {
  const sent: { pid: number; message: CarryMessage | CarryAnswer | CarryNote }[] = [];
  const closed: string[] = [];
  const unreachable = new Set<number>();
  const relay = createCarryRelay((pid, message, _, onError) => {
    if (unreachable.has(pid)) onError(new Error('no channel'));
    else sent.push({ pid, message });
  });
  return {
    relay,
    closed,
    unreachable,
    /** What was sent since the last call, in short. */
    sent: () =>
      sent.splice(0).map(({ pid, message }) => {
        if ('note' in message) return `${pid} is told of ${message.note.id}`;
        if ('carry' in message) return `${pid} gets ${message.carryId}`;
        return `${pid} hears ${message.carryId} ${message.carried}`;
      }),
    give: (pid: number, carryId: number) =>
      relay.onMessage(
        pid,
        { cmd: MESSAGE_COMMAND, carryId, carry, expiresAtMs: 0 },
        { close: () => closed.push(`${pid}/${carryId}`) },
      ),
    note: (pid: number, id: string) =>
      relay.onMessage(
        pid,
        { cmd: MESSAGE_COMMAND, carryId: 0, note: { kind: 'x', id, bytes: '' } },
        undefined,
      ),
    answer: (pid: number, carryId: number, carried: CarryAnswer['carried']) =>
      relay.onMessage(pid, { cmd: MESSAGE_COMMAND, carryId, carried }, undefined),
  };
}

test('connections go to the receivers in turn, under a number of their own; the copy is closed at the answer', () => {
  const world = createWorld();
  world.relay.route(1, [8, 9]);
  world.relay.route(2, [9]);
  world.give(1, 10);
  world.give(1, 11);
  world.give(2, 10);
  assert.deepEqual(world.sent(), ['8 gets 1', '9 gets 2', '9 gets 3']);
  assert.deepEqual(world.closed, []);
  world.answer(9, 3, 'accepted');
  world.answer(8, 1, 'refused');
  assert.deepEqual(world.sent(), ['2 hears 10 accepted', '1 hears 10 refused']);
  assert.deepEqual(world.closed, ['2/10', '1/10']);
  world.relay.onGone(9);
  assert.deepEqual(world.sent(), ['1 hears 11 refused']);
});

test('only the receiver answers, and only once', () => {
  const world = createWorld();
  world.relay.route(1, [8]);
  world.give(1, 10);
  world.answer(9, 1, 'accepted');
  world.answer(8, 1, 'accepted');
  world.answer(8, 1, 'refused');
  assert.deepEqual(world.sent(), ['8 gets 1', '1 hears 10 accepted']);
  assert.deepEqual(world.closed, ['1/10']);
});

test('a receiver that has gone gets nothing more, the others do; where there is none, all is refused', () => {
  const world = createWorld();
  world.relay.route(1, [8, 9]);
  world.relay.onGone(8);
  world.give(1, 10);
  world.give(1, 11);
  assert.deepEqual(world.sent(), ['9 gets 1', '9 gets 2']);
  world.relay.onGone(9);
  assert.deepEqual(world.sent(), ['1 hears 10 refused', '1 hears 11 refused']);
  world.give(1, 12);
  world.give(3, 1);
  assert.deepEqual(world.sent(), ['1 hears 12 refused', '3 hears 1 refused']);
  assert.deepEqual(world.closed, ['1/10', '1/11', '1/12', '3/1']);
});

test('what can not be written is refused', () => {
  const world = createWorld();
  world.relay.route(1, [8]);
  world.unreachable.add(8);
  world.give(1, 10);
  assert.deepEqual([world.sent(), world.closed], [['1 hears 10 refused'], ['1/10']]);
});

test('a receiver that never answers is given up at last', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const world = createWorld();
  world.relay.route(1, [8]);
  world.give(1, 10);
  t.mock.timers.tick(8_000);
  assert.deepEqual(world.sent(), ['8 gets 1', '1 hears 10 refused']);
  assert.deepEqual(world.closed, ['1/10']);
});

test('a note reaches all to whom connections of its sender ever went, and are there', () => {
  const world = createWorld();
  world.relay.route(1, [8, 9]);
  world.note(1, 'early');
  for (const carryId of [10, 11, 12]) world.give(1, carryId);
  world.relay.route(1, []);
  world.sent();
  world.note(1, 'a');
  assert.deepEqual(world.sent(), ['8 is told of a', '9 is told of a']);
  world.relay.onGone(8);
  world.sent();
  world.note(1, 'b');
  assert.deepEqual(world.sent(), ['9 is told of b']);
});
