/**
 * Sessions of Engine.IO, and so of Socket.IO: they begin with several HTTP requests, mostly before there is a WebSocket, and
 * only the server that began one knows it. A swap in between must not take the rest of them to another server.
 */

import type { AdoptedServer } from './adopted-server.ts';

/** More are not kept track of at once; a session is known here for as long as its server answers. */
const SESSIONS_MAX = 10_000;
/** The next request of a session that is under way comes within this time. */
const GAP_MS = 1_000;

interface WritableAnswer {
  end(...values: unknown[]): unknown;
}

export class PollingSessions {
  readonly #servers = new Map<string, AdoptedServer>();

  /** The server that began the session that a request names; null for any other request. */
  serverOf(url: string | undefined): AdoptedServer | null {
    if (this.#servers.size === 0 || !isPolling(url)) return null;
    return this.#servers.get(toSessionId(url) ?? '') ?? null;
  }

  /** Looks for the session that an answer begins, and counts a session that is between two requests as work. */
  follow(url: string | undefined, response: WritableAnswer, server: AdoptedServer): void {
    if (!isPolling(url)) return;
    const { scope } = server;
    scope.inFlightCount++;
    setTimeout(() => scope.inFlightCount--, GAP_MS).unref();
    if (toSessionId(url) !== null) return;
    const end = response.end.bind(response);
    response.end = (...values) => {
      const id = /^0\{"sid":"([^"]+)"/.exec(toText(values[0]))?.[1];
      if (id !== undefined) this.#add(id, server);
      return end(...values);
    };
  }

  forget(server: AdoptedServer): void {
    for (const [id, owner] of this.#servers) if (owner === server) this.#servers.delete(id);
  }

  #add(id: string, server: AdoptedServer): void {
    this.#servers.set(id, server);
    const [oldest] = this.#servers.keys();
    if (this.#servers.size > SESSIONS_MAX && oldest !== undefined) this.#servers.delete(oldest);
  }
}

function isPolling(url: string | undefined): url is string {
  return url?.includes('EIO=') === true;
}

function toSessionId(url: string): string | null {
  return /[?&]sid=([^&]+)/.exec(url)?.[1] ?? null;
}

function toText(chunk: unknown): string {
  if (typeof chunk === 'string') return chunk;
  return Buffer.isBuffer(chunk) ? chunk.toString('latin1') : '';
}
