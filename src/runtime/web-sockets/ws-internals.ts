/**
 * The parts of the package `ws` that carrying touches beyond the documented ones. They are the same from 8.0 to 8.23;
 * what is not as expected is found out by `checkServer` and `isKnown`, and such a WebSocket is not carried.
 */

import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type net from 'node:net';

/** A raw TCP or Pipe handle of one connection. */
export interface StreamHandle {
  /** Node's own note whether it reads. */
  reading: boolean;
  readonly writeQueueSize: number;
  readStart(): number;
  readStop(): number;
  asyncReset?(resource: object): void;
  close(): void;
}

export interface WebSocketStream extends net.Socket {
  _handle: StreamHandle | null;
  _server?: net.Server | null;
  encrypted?: boolean;
}

/** States of a receiver: between frames, four inside one, and two in which it waits. */
export const receiverStates = {
  getInfo: 0,
  getPayloadLength16: 1,
  getPayloadLength64: 2,
  getMask: 3,
  getData: 4,
} as const;

export interface Receiver {
  readonly _state: number;
  readonly _loop: boolean;
  readonly _errored?: boolean;
  readonly _buffers: readonly Buffer[];
  readonly _bufferedBytes: number;
  readonly _compressed: boolean;
  readonly _payloadLength: number;
  readonly _mask: Uint8Array | undefined;
  readonly _masked: boolean;
  readonly _fragmented: number;
  readonly _fragments: readonly Buffer[];
  /** Since 8.20. */
  readonly _numFragments?: number;
  readonly _fin: boolean;
  readonly _opcode: number;
  readonly writableLength: number;
  readonly writableNeedDrain: boolean;
}

/** What a sender writes frames to. */
export interface FrameWriter {
  cork(): void;
  uncork(): void;
  write(chunk: Uint8Array | string, callback?: (error?: Error | null) => void): unknown;
}

export interface Sender {
  _socket: FrameWriter;
  readonly _state: number;
  readonly _queue: readonly unknown[];
  /** False inside a message that the app sends in fragments. */
  readonly _firstFragment: boolean;
}

export type DeflateParameters = Readonly<Record<string, boolean | number>>;
export type OnInflated = (error: Error | null, data?: Buffer) => void;

export interface Deflate {
  params: DeflateParameters;
  _options: { readonly zlibInflateOptions?: object };
  decompress(data: Buffer, fin: boolean, callback: OnInflated): void;
  cleanup(): void;
}

export interface InternalWebSocket extends EventEmitter {
  readonly readyState: number;
  binaryType: string;
  readonly isPaused: boolean;
  readonly _receiver: Receiver;
  readonly _sender: Sender;
  readonly _socket: WebSocketStream;
  _protocol: string;
  _extensions: Record<string, Deflate>;
  setSocket(socket: net.Socket, head: Buffer, options: object): void;
  close(code?: number, reason?: Buffer): void;
  pause(): void;
  resume(): void;
}

export interface WebSocketClass {
  new (address: null, protocols: undefined, options: object): InternalWebSocket;
}

export interface ServerOptions {
  readonly WebSocket: WebSocketClass;
  readonly path?: string | null;
  readonly maxPayload?: number;
  readonly perMessageDeflate?: object | false;
}

type OnUpgraded = (webSocket: InternalWebSocket, request: IncomingMessage) => void;

export interface InternalWebSocketServer extends EventEmitter {
  readonly options: ServerOptions;
  readonly clients?: Set<InternalWebSocket>;
  _server?: net.Server | null;
  _state: number;
  readonly _shouldEmitClose?: boolean;
  completeUpgrade(...values: [...unknown[], OnUpgraded]): void;
  close(callback?: (error?: Error) => void): void;
}

export const OPEN = 1;
export const SERVER_RUNNING = 0;
const SERVER_CLOSED = 2;
export const DEFLATE = 'permessage-deflate';

/** What is missing in a value to be a WebSocketServer of `ws`; null when nothing is. */
export function whyNotServer(value: unknown): string | null {
  if (typeof value !== 'object' || value === null) return `it is ${String(value)}`;
  const { completeUpgrade, options } = value as Partial<InternalWebSocketServer>;
  if (typeof completeUpgrade !== 'function') return `it is a ${value.constructor?.name ?? 'bare object'}`;
  const WebSocket = options?.WebSocket as { readonly prototype?: Partial<InternalWebSocket> } | undefined;
  if (typeof WebSocket?.prototype?.setSocket !== 'function') return 'its version of ws is older than 8';
  return null;
}

/** Whether all is there that freezing reads. */
export function isKnown({ _receiver, _sender, _socket, _extensions }: Partial<InternalWebSocket>): boolean {
  return (
    typeof _receiver?._state === 'number' &&
    typeof _receiver._loop === 'boolean' &&
    typeof _receiver._fragmented === 'number' &&
    Array.isArray(_receiver._buffers) &&
    Array.isArray(_receiver._fragments) &&
    typeof _sender?._state === 'number' &&
    typeof _sender._firstFragment === 'boolean' &&
    Array.isArray(_sender._queue) &&
    _sender._socket === _socket &&
    typeof _extensions === 'object'
  );
}

/** Emits 'close' of a server that was closed and had waited for its last client. */
export function endIfEmpty(server: InternalWebSocketServer): void {
  if (server._shouldEmitClose !== true || (server.clients?.size ?? 0) > 0) return;
  process.nextTick(() => {
    server._state = SERVER_CLOSED;
    server.emit('close');
  });
}
