/** What goes from process to process with the connection of a WebSocket, as bytes. */

import v8 from 'node:v8';
import type { DeflateParameters } from './ws-internals.ts';

export interface CarriedRequest {
  readonly method: string;
  readonly url: string;
  readonly httpVersion: string;
  readonly rawHeaders: readonly string[];
}

export interface CarriedDeflate {
  readonly params: DeflateParameters;
  /** What the client's next message may refer to. */
  readonly inflated: Uint8Array;
}

export interface CarriedWebSocket {
  /** Of this journey: what comes late names it. */
  readonly id: string;
  /** Of its server. */
  readonly name: string;
  readonly protocol: string;
  readonly binaryType: string;
  readonly deflate: CarriedDeflate | null;
  readonly request: CarriedRequest;
  /** What the app's `save` returned. */
  readonly data: unknown;
  /** Those that stopped reading together: of which departure, and how many come after this one. */
  readonly group: { readonly id: string; readonly followedBy: number } | null;
}

/** Errors: the DataCloneError of what can't be cloned. */
export function encodeWebSocket(carried: CarriedWebSocket): Buffer {
  return v8.serialize(carried);
}

export function decodeWebSocket(bytes: Uint8Array): CarriedWebSocket {
  return v8.deserialize(bytes) as CarriedWebSocket;
}
