/**
 * The HTTP/2 sessions and streams of one server, and how a session ends without losing a stream.
 *
 * RFC 9113 6.8 has a server send a first GOAWAY that refuses nothing, and one that names the last stream a round trip later. Node
 * can't: after any GOAWAY its session ignores new streams (docs/node/goaway.md). So what comes in last is held instead: a client that
 * waits for answers before it asks on sends no more once all that it has asked is held, and then the one GOAWAY can go out.
 *
 *   state of a session | event                                            | next
 *   open               | leave                                            | departing: new streams are held
 *   departing          | a round trip without a new stream, or HOLD_MS_MAX | closed: GOAWAY; what was held is answered
 */

import { AsyncResource } from 'node:async_hooks';
import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GenerationScope } from '../generation-scope.ts';
import type { kStartedUs } from '../service-meter.ts';
import { isEventSource, isHttp2EventStream } from './event-stream.ts';
import type { OpenRequest } from './open-work.ts';
import { secondsNow } from './seconds-now.ts';

/** What a client does between an answer and its next request takes longer than the answer to a PING, by about this. */
const THINK_MS = 25;
/** No stream is held for longer. What a client that asks without waiting has sent by then is refused as not processed. */
const HOLD_MS_MAX = 1_000;

export interface Http2Session extends EventEmitter {
  readonly closed: boolean;
  readonly destroyed: boolean;
  readonly socket?: Socket;
  readonly timeout?: number;
  setTimeout(idleTimeoutMs: number): unknown;
  ping(callback: () => void): boolean;
  close(): void;
}

export interface Http2Stream extends EventEmitter {
  readonly session?: Http2Session;
  readonly destroyed: boolean;
  readonly rstCode?: number;
  [kStartedUs]?: number;
  readonly sentHeaders?: Readonly<Record<string, unknown>>;
  write(...values: unknown[]): boolean;
  end(...values: unknown[]): unknown;
  respond(headers: Record<string, number>, options: { endStream: boolean }): void;
}

interface Departure {
  readonly held: (() => void)[];
  /** Streams that have come since the last PING was sent. */
  arrivedCount: number;
}

export class Http2Sessions {
  readonly sessions = new Set<Http2Session>();
  /** Requests that are being answered. */
  readonly streams = new Map<Http2Stream, OpenRequest>();
  readonly #eventSources = new WeakSet<Http2Stream>();
  readonly #departures = new WeakMap<Http2Session, Departure>();

  add(session: Http2Session): void {
    this.sessions.add(session);
    session.once('close', () => this.sessions.delete(session));
  }

  addStream(stream: Http2Stream, headers: Readonly<Record<string, string>>, scope: GenerationScope): void {
    const [method, url] = [headers[':method'], headers[':path']];
    this.streams.set(stream, { scope, sinceS: secondsNow(), method, url });
    stream.once('close', () => this.streams.delete(stream));
    if (isEventSource(method, headers['accept'])) this.#eventSources.add(stream);
  }

  eventStreams(): Http2Stream[] {
    const asked = [...this.streams.keys()].filter((stream) => this.#eventSources.has(stream));
    return asked.filter(isHttp2EventStream);
  }

  /** True when the stream's session is departing: it is answered when that is done. */
  hold(stream: Http2Stream, answer: () => void): boolean {
    const departure = stream.session && this.#departures.get(stream.session);
    if (departure === undefined) return false;
    departure.arrivedCount++;
    departure.held.push(
      AsyncResource.bind(() => {
        if (!stream.destroyed) answer();
      }),
    );
    return true;
  }

  /** Asks every client to go on over another connection. */
  leaveAll(): void {
    for (const session of this.sessions) this.leave(session);
  }

  leave(session: Http2Session | undefined): void {
    if (session === undefined || session.closed || session.destroyed || this.#departures.has(session)) return;
    const departure: Departure = { held: [], arrivedCount: 0 };
    this.#departures.set(session, departure);
    void this.#depart(session, departure);
  }

  async #depart(session: Http2Session, departure: Departure): Promise<void> {
    const deadlineMs = performance.now() + HOLD_MS_MAX;
    do {
      departure.arrivedCount = 0;
      await Promise.race([roundTrip(session), sleep(HOLD_MS_MAX, undefined, { ref: false })]);
      await sleep(THINK_MS);
    } while (departure.arrivedCount > 0 && performance.now() < deadlineMs);
    // Read again: it was awaited above.
    if (!session.closed && !session.destroyed) session.close();
    this.#departures.delete(session);
    for (const answer of departure.held) answer();
  }
}

async function roundTrip(session: Http2Session): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  // A session that ends calls back with an error, one that has ended or has too many under way says so at once.
  try {
    if (!session.destroyed && session.ping(() => resolve())) await promise;
  } catch {
    // It has just ended: nothing comes from it any more.
  }
}
