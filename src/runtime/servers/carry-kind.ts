/**
 * What can be carried beyond idle HTTP connections: upgraded sockets of a protocol that somebody knows how to stop and
 * to revive. The registry is the process's: the package that the app imports, and the one that the worker runs, may be two copies.
 */

import type { Server, Socket } from 'node:net';
import type { CarriedConnection } from '../../protocol/messages.ts';
import type { ClientHandle } from './node-internals.ts';

export interface FrozenState {
  /** Plain JSON. */
  readonly detail: unknown;
  /** Read from the socket and not used. */
  readonly unread: Buffer;
}

/** One protocol. Its `kind` is the name under which it is registered, equal in both processes. */
export interface CarryKind {
  /** In the giving process: is this upgraded socket one of its own, which is to be carried? */
  owns(socket: Socket): boolean;
  /** Connections are being given from now on; those that belong together may be stopped together. */
  begin(): void;
  /** No more are offered; those that were stopped and not frozen go on. */
  end(): void;
  /** Stops reading. What the other process needs, or null: not now, ask again later, and it is as it was. From here to `thaw` or
   *  `letGo` nothing may be written to it. */
  freeze(socket: Socket): FrozenState | null;
  /** The connection stays after all, and is read again. */
  thaw(socket: Socket): void;
  /** Another process has it. The socket is destroyed after this, which the client doesn't see. What is given to `send` reaches
   *  `onNote` there. */
  letGo(socket: Socket, send: (id: string, bytes: Uint8Array) => void): void;
  /** In the taking process, before the giver is told. Runs inside of the generation of `server`, the current one at the address.
   *  Rejects when it can't be taken, and has closed the handle then. */
  take(handle: ClientHandle, carried: CarriedConnection, server: Server): Promise<TakenConnection>;
  onNote(id: string, bytes: Uint8Array): void;
}

export interface TakenConnection {
  readonly socket: Socket;
  /** The giver knows that it is ours. `unread` comes first, then what the handle reads. */
  start(): void;
  /** The giver keeps it. */
  discard(): void;
}

const kKinds = Symbol.for('midflight.carry');

/** All that are registered in this process, by name. */
export function carryKinds(): Map<string, CarryKind> {
  const holder = globalThis as { [kKinds]?: Map<string, CarryKind> };
  return (holder[kKinds] ??= new Map());
}
