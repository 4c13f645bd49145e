/**
 * The sockets that code of the generations has opened to others: databases, queues, other services. Node tells of those that
 * `net.connect` makes; of what is made by `new net.Socket()`, and of TLS, it does not.
 *
 * A socket is held weakly, and nothing is added to it: one that is forgotten by everybody else is collected.
 */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { captureCallingLine, type CallingLine } from './calling-line.ts';
import { currentScope, type GenerationScope } from './generation-scope.ts';

const CHANNEL = 'net.client.socket';
/** Closed sockets are swept out when the list has doubled, from this size on. */
const SWEEP_SIZE_MIN = 64;

export interface ClientSocket {
  /** Where it is connected to, as far as is known. */
  readonly peer: string;
  readonly line: CallingLine | null;
}

export interface ClientSockets {
  /** Those that code of a generation has opened, and that are open. */
  readonly of: (scope: GenerationScope) => readonly ClientSocket[];
  /** Notices no more. */
  readonly dispose: () => void;
}

interface Noted {
  readonly socket: WeakRef<Socket>;
  readonly scope: GenerationScope;
  readonly line: CallingLine | null;
}

/** Notices the sockets that are opened from now on. */
export function watchClientSockets(): ClientSockets {
  let noted: Noted[] = [];
  let sweepSize = SWEEP_SIZE_MIN;
  const sweep = (): void => {
    noted = noted.filter(({ socket }) => socket.deref()?.destroyed === false);
    sweepSize = Math.max(SWEEP_SIZE_MIN, noted.length * 2);
  };
  const notice = (message: unknown): void => {
    const scope = currentScope();
    if (scope === undefined) return;
    if (noted.length >= sweepSize) sweep();
    const { socket } = message as { readonly socket: Socket };
    noted.push({ socket: new WeakRef(socket), scope, line: captureCallingLine() });
  };
  subscribe(CHANNEL, notice);
  return {
    of: (scope) => {
      sweep();
      return noted.flatMap((each) => {
        const socket = each.scope === scope ? each.socket.deref() : undefined;
        return socket === undefined ? [] : { peer: toPeer(socket), line: each.line };
      });
    },
    dispose: () => void unsubscribe(CHANNEL, notice),
  };
}

/** The other end of a socket, in words. */
export function toPeer({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
  if (remoteAddress === undefined) return 'an address that is not known';
  return remoteAddress.includes(':') ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
}
