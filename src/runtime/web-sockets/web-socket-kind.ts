/**
 * How the WebSockets of a process leave it and arrive. Owns which of them are stopped, and who of those that arrived may still be
 * sent something by the process that they came from.
 *
 * 1. `begin()` is one synchronous step: what leaves together hears nothing any more after it, but for the rest of a message that
 *    can't be cut.
 * 2. `end()` lets those that have not left read on.
 */

import type { Server } from 'node:net';
import { MidflightError } from '../../errors.ts';
import type { CarryKind, TakenConnection } from '../servers/carry-kind.ts';
import { Arrivals } from './arrivals.ts';
import { decodeWebSocket } from './carried-web-socket.ts';
import { DepartingWebSocket, type FrozenWebSocket } from './departing-web-socket.ts';
import { reviveWebSocket, type RevivedWebSocket } from './revive-web-socket.ts';
import type { WebSocketRegistry } from './web-socket-registry.ts';
import type { StreamHandle, WebSocketStream } from './ws-internals.ts';

export const WEB_SOCKET_KIND = 'websocket';

export function createWebSocketKind(registry: WebSocketRegistry): CarryKind {
  return new WebSocketKind(registry);
}

let lastGroup = 0;

class WebSocketKind implements CarryKind {
  readonly #registry: WebSocketRegistry;
  readonly #leaving = new Map<object, DepartingWebSocket>();
  readonly #frozen = new WeakMap<object, FrozenWebSocket>();
  /** Those that can't go. */
  readonly #staying = new WeakSet<object>();
  readonly #arrivals = new Arrivals();
  readonly #arrived = new Map<string, RevivedWebSocket>();
  #group = '';

  constructor(registry: WebSocketRegistry) {
    this.#registry = registry;
  }

  owns(socket: object): boolean {
    if (this.#staying.has(socket)) return false;
    const departing = this.#departing(socket);
    return departing !== undefined && departing.whyNot() === null;
  }

  begin(): void {
    this.#group = `${process.pid}-${++lastGroup}`;
    for (const server of this.#registry.servers()) {
      for (const { _socket: socket } of server.members.keys()) this.#departing(socket);
    }
    for (const departing of this.#leaving.values()) if (departing.isTogether) departing.hold();
  }

  end(): void {
    for (const departing of this.#leaving.values()) departing.release();
    this.#leaving.clear();
  }

  freeze(socket: object): { detail: string; unread: Buffer } | null {
    const departing = this.#departing(socket);
    if (departing === undefined) return null;
    const followedBy = this.#leaving.size - 1;
    const frozen = departing.freeze(departing.isTogether ? { id: this.#group, followedBy } : null);
    if (frozen === 'busy') return null;
    this.#leaving.delete(socket);
    if (typeof frozen === 'string') {
      departing.release();
      this.#staying.add(socket);
      return null;
    }
    this.#frozen.set(socket, frozen);
    return { detail: frozen.payload.toString('base64'), unread: frozen.unread };
  }

  thaw(socket: object): void {
    this.#frozen.get(socket)?.takeBack();
    this.#frozen.delete(socket);
  }

  letGo(socket: object, send: (id: string, bytes: Uint8Array) => void): void {
    const frozen = this.#frozen.get(socket);
    this.#frozen.delete(socket);
    frozen?.accepted((frames) => send(frozen.id, frames));
  }

  async take(
    handle: object,
    { detail, unread }: { readonly detail: unknown; readonly unread: string },
    httpServer: Server | null,
  ): Promise<TakenConnection> {
    const carried = decodeWebSocket(Buffer.from(String(detail), 'base64'));
    const server = this.#registry.find(carried.name);
    if (server === undefined) throw new MidflightError('ERR_MIDFLIGHT_WEB_SOCKET_UNEXPECTED', [carried.name]);
    const revived = await reviveWebSocket({
      server,
      carried,
      httpServer,
      handle: handle as StreamHandle,
      unread: Buffer.from(unread, 'base64'),
    });
    this.#arrived.set(carried.id, revived);
    revived.webSocket.once('close', () => this.#arrived.delete(carried.id));
    return {
      socket: revived.webSocket._socket,
      start: () => revived.begin((read) => this.#arrivals.add(carried.group, read)),
      discard: () => revived.discard(),
    };
  }

  onNote(id: string, frames: Uint8Array): void {
    this.#arrived.get(id)?.receiveLate(frames);
  }

  #departing(socket: object): DepartingWebSocket | undefined {
    const known = this.#leaving.get(socket);
    if (known !== undefined || this.#frozen.has(socket)) return known;
    const found = this.#registry.memberOf(socket as WebSocketStream);
    if (found === undefined) return undefined;
    const departing = new DepartingWebSocket(found.server, found.webSocket, found.request);
    this.#leaving.set(socket, departing);
    found.webSocket.once('close', () => this.#leaving.delete(socket));
    return departing;
  }
}
