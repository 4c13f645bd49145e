/**
 * What a server keeps that is no request: upgraded sockets and the sockets of plain net servers. Owns what is known of each, and
 * how each is told that its process ends.
 *
 * 1. A WebSocket is closed by 1012, service restart: by its library where that is `ws`, which may have messages that wait to be
 *    compressed; else by a frame of ours, which is whole and may stand between any two frames (RFC 6455 5.4).
 * 2. No frame of ours goes into bytes that somebody pipes through: they may stop in the middle of a frame. Nor does one go out
 *    before the handshake has been answered.
 * 3. What has been told is destroyed after FAREWELL_MS.
 */

import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { valueOfSymbol } from './node-internals.ts';
import { secondsNow } from './seconds-now.ts';

export const keptKinds = ['websocket', 'upgraded', 'socket'] as const;
/** `websocket`: upgraded to that. `upgraded`: to something else, or by CONNECT. `socket`: of a plain net server. */
export type KeptKind = (typeof keptKinds)[number];

/** A client answers a close frame, or the end of a connection, within a round trip. */
export const FAREWELL_MS = 2_000;
const SERVICE_RESTART = 1012;
/** FIN and opcode 8; two bytes, not masked; 1012. */
const closeFrame = Buffer.from([0x88, 0x02, SERVICE_RESTART >> 8, SERVICE_RESTART & 0xff]);

interface Kept {
  readonly kind: KeptKind;
  readonly sinceS: number;
  /** When the app got it: what is above that, the app has written. */
  readonly bytesWritten: number;
}

interface WebSocketLike {
  close(code: number, reason: string): void;
}

const known = new WeakMap<EventEmitter, Kept>();
const told = new WeakSet<EventEmitter>();

/** Notes a socket that a server keeps from now on; one that another has kept before is what it was. */
export function noteKept(socket: EventEmitter, kind: KeptKind): void {
  if (known.has(socket)) return;
  const { bytesWritten } = socket as Socket;
  known.set(socket, { kind, sinceS: secondsNow(), bytesWritten });
}

export function toKeptKind(event: string, upgrade: string | undefined): KeptKind {
  return event === 'upgrade' && upgrade?.toLowerCase() === 'websocket' ? 'websocket' : 'upgraded';
}

export function describeKept(socket: EventEmitter): { readonly kind: KeptKind; readonly sinceS: number } {
  return known.get(socket) ?? { kind: 'socket', sinceS: secondsNow() };
}

/** True when it has been told to end, and will. */
export function isParting(socket: EventEmitter): boolean {
  return told.has(socket);
}

/** Tells a socket to end, and ends it if it does not. */
export function partWith(emitter: EventEmitter): void {
  const socket = emitter as Socket;
  if (told.has(socket)) return;
  told.add(socket);
  const isTold = known.get(socket)?.kind === 'websocket' && closeWebSocket(socket);
  if (!isTold) socket.end();
  const timer = setTimeout(() => socket.destroy(), FAREWELL_MS);
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
}

/** False where that can't be done soundly. */
function closeWebSocket(socket: Socket): boolean {
  const owner = valueOfSymbol(socket, 'websocket') as WebSocketLike | undefined;
  if (typeof owner?.close === 'function') {
    owner.close(SERVICE_RESTART, '');
    return true;
  }
  const isAnswered = socket.bytesWritten > (known.get(socket)?.bytesWritten ?? 0);
  // `pipe` listens to the `unpipe` of where it leads.
  if (!isAnswered || !socket.writable || socket.listenerCount('unpipe') > 0) return false;
  socket.write(closeFrame);
  return true;
}
