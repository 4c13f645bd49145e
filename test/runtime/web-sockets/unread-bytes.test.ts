/** A receiver of ws that has read a part, and another that goes on from there, give what one would have given. */

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import type { Writable } from 'node:stream';
import { pointOf, toUnreadBytes } from '../../../src/runtime/web-sockets/unread-bytes.ts';
import type { Receiver } from '../../../src/runtime/web-sockets/ws-internals.ts';

const ws = createRequire(import.meta.url)('ws') as {
  readonly Receiver: new (options: object) => Writable & Receiver;
  readonly Sender: { frame(data: Buffer, options: object): Buffer[] };
};

interface Frame {
  readonly opcode: number;
  readonly fin?: boolean;
  readonly length: number;
}

function toBytes(frames: readonly Frame[]): Buffer {
  return Buffer.concat(
    frames.flatMap(({ opcode, fin = true, length }, index) => {
      const data = Buffer.alloc(length, `${index}:`);
      return ws.Sender.frame(data, { fin, opcode, rsv1: false, mask: true, readOnly: true });
    }),
  );
}

function createReceiver(heard: string[]): Writable & Receiver {
  const receiver = new ws.Receiver({ isServer: true });
  for (const event of ['message', 'ping', 'pong']) {
    receiver.on(event, (data: Buffer, isBinary?: boolean) =>
      heard.push(`${event} ${isBinary} ${data.toString('latin1')}`),
    );
  }
  receiver.on('error', (error) => heard.push(String(error)));
  return receiver;
}

const streams: Readonly<Record<string, readonly Frame[]>> = {
  'small frames': [
    { opcode: 1, length: 5 },
    { opcode: 2, length: 0 },
    { opcode: 9, length: 3 },
    { opcode: 2, length: 124 },
  ],
  'lengths of 16 and 64 bits': [
    { opcode: 2, length: 130 },
    { opcode: 2, length: 65_540 },
    { opcode: 1, length: 1 },
  ],
  'a message in fragments, with a ping between them': [
    { opcode: 1, fin: false, length: 4 },
    { opcode: 9, length: 2 },
    { opcode: 0, fin: false, length: 200 },
    { opcode: 10, length: 0 },
    { opcode: 0, length: 7 },
    { opcode: 1, length: 3 },
  ],
  'fragments without content': [
    { opcode: 2, fin: false, length: 0 },
    { opcode: 9, length: 1 },
    { opcode: 0, fin: false, length: 0 },
    { opcode: 0, fin: false, length: 3 },
    { opcode: 0, length: 0 },
    { opcode: 2, length: 2 },
  ],
};

for (const [name, frames] of Object.entries(streams)) {
  test(`${name}: cut at any byte, another receiver goes on`, () => {
    const bytes = toBytes(frames);
    const expected: string[] = [];
    // A receiver unmasks in place.
    createReceiver(expected).write(Buffer.from(bytes));
    const cuts = [...bytes.keys()].filter((at) => at < 600 || at > bytes.length - 600);
    for (const at of cuts) {
      const heard: string[] = [];
      const first = createReceiver(heard);
      if (at > 0) first.write(Buffer.from(bytes.subarray(0, at)));
      assert.equal(pointOf(first), 'boundary');
      const second = createReceiver(heard);
      second.write(toUnreadBytes(first));
      second.write(Buffer.from(bytes.subarray(at)));
      assert.deepEqual(heard, expected, `cut at ${at}`);
    }
  });
}
