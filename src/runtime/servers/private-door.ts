/** A loopback port that leads to one server, public or not. */

import type { AdoptedServer } from './adopted-server.ts';
import { noteDoor } from './door-ports.ts';
import { deliver } from './hub.ts';
import { type ClientHandle, internalNet, type SocketName } from './node-internals.ts';

export interface Door {
  readonly port: number;
  /** Lets the connection from this local port in. Any other process that connects is turned away. */
  admit(port: number): void;
  close(): void;
}

interface PeerHandle extends ClientHandle {
  getpeername(out: SocketName): number;
}

/** Opens it for connections that are admitted, or for all that this machine makes; until it is closed. */
export function openDoor(server: AdoptedServer, to: 'admitted' | 'everybody'): Door {
  const handle = internalNet._createServerHandle('127.0.0.1', 0, 4);
  if (typeof handle === 'number') throw new Error(`can't bind to 127.0.0.1: errno ${handle}`);
  const waiting = new Map<number, PeerHandle>();
  let admitted: number | undefined;
  const match = (): void => {
    const client = admitted === undefined ? undefined : waiting.get(admitted);
    if (client === undefined) return;
    for (const [port, other] of waiting) if (port !== admitted) other.close();
    waiting.clear();
    deliver(server, 0, client);
  };
  handle.onconnection = (errno, client) => {
    if (errno !== 0) return;
    if (to === 'everybody') {
      deliver(server, 0, client);
      return;
    }
    waiting.set(
      nameOf((name) => (client as PeerHandle).getpeername(name)),
      client as PeerHandle,
    );
    match();
  };
  handle.listen(to === 'everybody' ? BACKLOG : 1);
  const admit = (client: number): void => {
    admitted = client;
    match();
  };
  const port = nameOf((name) => handle.getsockname?.(name));
  const forget = noteDoor(port);
  const close = (): void => {
    forget();
    for (const other of waiting.values()) other.close();
    waiting.clear();
    handle.close();
  };
  return { port, admit, close };
}

const BACKLOG = 16;

function nameOf(read: (name: SocketName) => unknown): number {
  const name: SocketName = {};
  read(name);
  return name.port ?? 0;
}
