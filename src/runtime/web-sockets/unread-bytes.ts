/**
 * What a receiver of `ws` has taken in and not yet given out, as the bytes that lead another receiver to the same point.
 * They are frames of RFC 6455, so the two may be of different versions of `ws`.
 */

import { receiverStates, type Receiver } from './ws-internals.ts';

/** More than this waits until the message is complete: the bytes travel as a message between processes. */
export const UNREAD_BYTES_MAX = 512 * 1024;

const FIN = 0x80;
const COMPRESSED = 0x40;
const MASKED = 0x80;
const CONTINUATION = 0;
const CONTROL_OPCODES = 0x8;

/** `working` ends without another byte; `partial` only with the rest of the message, since nobody can say how far it came. */
export type ReceiverPoint = 'boundary' | 'working' | 'partial';

export function pointOf(receiver: Receiver): ReceiverPoint {
  const { _state, _loop, _errored, _bufferedBytes, writableLength } = receiver;
  if (_loop || _errored === true || writableLength > 0 || receiver.writableNeedDrain) return 'working';
  if (_state > receiverStates.getData) return 'working';
  const fragmentBytes = receiver._fragments.reduce((total, { length }) => total + length, 0);
  const isTooLong = fragmentBytes + _bufferedBytes > UNREAD_BYTES_MAX;
  return isTooLong || isInsideCompressed(receiver) ? 'partial' : 'boundary';
}

/** Of a receiver that is at a boundary: between two messages, or inside one that can be begun again. */
export function toUnreadBytes(receiver: Receiver): Buffer {
  return Buffer.concat([...toFragment(receiver), ...toHeader(receiver), ...receiver._buffers]);
}

/** Its inflater has taken the beginning of the message. */
function isInsideCompressed({ _compressed, _fragmented, _fragments, _numFragments }: Receiver): boolean {
  if (!_compressed || _fragmented === 0) return false;
  return _numFragments === undefined || _numFragments > 0 || _fragments.length > 0;
}

/** Is any part of a message before the frame that is being read? Fragments without content make no difference to it. */
function hasFragments({ _fragmented, _fragments, _state, _opcode }: Receiver): boolean {
  if (_fragmented === 0) return false;
  const mayBeFirst = _state !== receiverStates.getInfo && _opcode < CONTROL_OPCODES;
  return !mayBeFirst || _fragments.length > 0;
}

/** The fragments of a message that is not complete, joined in one. */
function toFragment(receiver: Receiver): Buffer[] {
  if (!hasFragments(receiver)) return [];
  const payload = Buffer.concat(receiver._fragments);
  return [toFrameHeader(receiver._fragmented, payload.length), Buffer.alloc(4), payload];
}

/** What was read of the header of the frame that is not complete. */
function toHeader(receiver: Receiver): Buffer[] {
  const { _state, _opcode, _fin, _compressed, _masked, _payloadLength, _mask } = receiver;
  if (_state === receiverStates.getInfo) return [];
  const isData = _opcode < CONTROL_OPCODES;
  const opcode = isData && hasFragments(receiver) ? CONTINUATION : _opcode;
  const compressed = _compressed && isData && opcode !== CONTINUATION ? COMPRESSED : 0;
  const first = (_fin ? FIN : 0) | compressed | opcode;
  const masked = _masked ? MASKED : 0;
  if (_state === receiverStates.getPayloadLength16) return [Buffer.from([first, masked | 126])];
  if (_state === receiverStates.getPayloadLength64) return [Buffer.from([first, masked | 127])];
  const header = toFrameHeader(first, _payloadLength, masked);
  return _state === receiverStates.getData && _masked ? [header, Buffer.from(_mask ?? [])] : [header];
}

function toFrameHeader(first: number, length: number, masked = MASKED): Buffer {
  if (length < 126) return Buffer.from([first, masked | length]);
  if (length < 65_536) return Buffer.from([first, masked | 126, length >> 8, length & 0xff]);
  const header = Buffer.from([first, masked | 127, 0, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUIntBE(length, 4, 6);
  return header;
}
