/**
 * The WebSockets that leave this process and those that arrive. Owns who is leaving, and who of those that arrived may still be
 * sent something by the process that they came from.
 *
 * 1. `hold()` is one synchronous step: what leaves together hears nothing any more after it.
 * 2. `end()` lets those that have not left read on.
 */

import { MidflightError } from '../../errors.ts';
import { Arrivals } from './arrivals.ts';
import { decodeWebSocket } from './carried-web-socket.ts';
import { DepartingWebSocket, type FrozenWebSocket } from './departing-web-socket.ts';
import { reviveWebSocket, type RevivedWebSocket } from './revive-web-socket.ts';
import type { WebSocketRegistry } from './web-socket-registry.ts';
import type { StreamHandle } from './ws-internals.ts';

export interface WebSocketCarrier {
  /** Those that leave together stop reading; with `all`, the others too. What was held before stays so. */
  hold(options?: { readonly all?: boolean }): void;
  /** One that can go now; `busy` when there are only such as can't yet, `none` when all have gone or can't go. */
  next(): FrozenWebSocket | 'busy' | 'none';
  /** Nobody leaves any more. */
  end(): void;
  /** Errors: ERR_MIDFLIGHT_WEB_SOCKET_UNEXPECTED, ERR_MIDFLIGHT_WEB_SOCKET_UNRESTORED; the connection is the sender's then. */
  receive(arriving: ArrivingWebSocket): Promise<ArrivedWebSocket>;
  /** Frames of the process that a WebSocket came from. Those for one that is not here are not for this process. */
  receiveLate(id: string, frames: Uint8Array): void;
}

export interface ArrivingWebSocket {
  readonly handle: StreamHandle;
  readonly payload: Uint8Array;
  readonly unread: Uint8Array;
}

export interface ArrivedWebSocket {
  /** The sender knows that it is ours. */
  begin(): void;
  /** The sender does not. */
  discard(): void;
}

export function createWebSocketCarrier(registry: WebSocketRegistry): WebSocketCarrier {
  return new Carrier(registry);
}

let lastGroup = 0;

class Carrier implements WebSocketCarrier {
  readonly #registry: WebSocketRegistry;
  readonly #leaving = new Set<DepartingWebSocket>();
  readonly #known = new WeakSet<object>();
  readonly #arrivals = new Arrivals();
  readonly #arrived = new Map<string, RevivedWebSocket>();
  #group = '';

  constructor(registry: WebSocketRegistry) {
    this.#registry = registry;
  }

  hold({ all = false }: { readonly all?: boolean } = {}): void {
    if (this.#leaving.size === 0) this.#group = `${process.pid}-${++lastGroup}`;
    for (const server of this.#registry.servers()) {
      for (const [webSocket, request] of server.members) {
        if (this.#known.has(webSocket)) continue;
        this.#known.add(webSocket);
        this.#leaving.add(new DepartingWebSocket(server, webSocket, request));
      }
    }
    for (const departing of this.#leaving) if (all || departing.isTogether) departing.hold();
  }

  next(): FrozenWebSocket | 'busy' | 'none' {
    for (const departing of this.#leaving) {
      const followedBy = this.#leaving.size - 1;
      const frozen = departing.freeze(departing.isTogether ? { id: this.#group, followedBy } : null);
      if (frozen === 'busy') continue;
      this.#forget(departing);
      if (typeof frozen === 'object') return frozen;
      departing.release();
    }
    return this.#leaving.size > 0 ? 'busy' : 'none';
  }

  end(): void {
    for (const departing of this.#leaving) {
      this.#forget(departing);
      departing.release();
    }
  }

  async receive({ handle, payload, unread }: ArrivingWebSocket): Promise<ArrivedWebSocket> {
    const carried = decodeWebSocket(payload);
    const server = this.#registry.find(carried.name);
    if (server === undefined) throw new MidflightError('ERR_MIDFLIGHT_WEB_SOCKET_UNEXPECTED', [carried.name]);
    const revived = await reviveWebSocket({ server, carried, handle, unread });
    this.#arrived.set(carried.id, revived);
    revived.onClose(() => this.#arrived.delete(carried.id));
    return {
      begin: () => revived.begin((read) => this.#arrivals.add(carried.group, read)),
      discard: () => revived.discard(),
    };
  }

  receiveLate(id: string, frames: Uint8Array): void {
    this.#arrived.get(id)?.receiveLate(frames);
  }

  #forget(departing: DepartingWebSocket): void {
    this.#leaving.delete(departing);
    this.#known.delete(departing.webSocket);
  }
}
