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
  /** Its reading has just stopped (`readStop` of the handle). What the other process needs, or null: not now, ask again
   *  later. From here to `thaw` or `let go` nothing may be written to it. */
  freeze(socket: Socket): FrozenState | null | Promise<FrozenState | null>;
  /** The connection stays after all; it is read again after this. */
  thaw(socket: Socket): void;
  /** Another process has it. The socket is destroyed after this, which the client doesn't see. */
  letGo(socket: Socket): void;
  /** In the taking process, before anything has changed: why it can't be revived, or null. */
  whyNot(carried: CarriedConnection, server: Server): string | null;
  /** Makes it live: `unread` comes first, then what the handle reads. Runs inside of the generation of `server`, the
   *  current one at the address. The socket counts as upgraded from now on. */
  revive(handle: ClientHandle, carried: CarriedConnection, server: Server): Socket;
}

const kKinds = Symbol.for('midflight.carry');

/** All that are registered in this process, by name. */
export function carryKinds(): Map<string, CarryKind> {
  const holder = globalThis as { [kKinds]?: Map<string, CarryKind> };
  return (holder[kKinds] ??= new Map());
}
