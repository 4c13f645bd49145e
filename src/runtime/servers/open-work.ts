/** What servers have under way, in words and as data. */

import type { Socket } from 'node:net';

import type { OpenWork } from '../../protocol/messages.ts';
import { toPeer } from '../client-sockets.ts';
import type { GenerationScope } from '../generation-scope.ts';
import type { Pin } from '../retained.ts';
import { kStartedUs } from '../service-meter.ts';
import type { AdoptedServer } from './adopted-server.ts';
import { kSince, kWork } from './http1-exchanges.ts';
import { describeKept } from './kept-sockets.ts';
import { secondsNow } from './seconds-now.ts';

/** A request that is being answered. */
export interface OpenRequest {
  readonly scope: GenerationScope;
  /** By `secondsNow`. */
  readonly sinceS: number;
  /** By `nowUs`: who was first within a second. HTTP/2 keeps its streams in order. */
  readonly sinceUs?: number | undefined;
  readonly method: string | undefined;
  readonly url: string | undefined;
}

/** What is going on in a worker. */
export interface WorkCounts {
  /** Requests that are being answered. */
  readonly inFlightCount: number;
  /** Open HTTP connections, busy and idle. */
  readonly openCount: number;
  /** Upgraded sockets, and connections of plain net servers. */
  readonly upgradedCount: number;
}

/** As many as a person looks at, and a message may carry. */
const SHOWN_MAX = 20;
const URL_LENGTH_MAX = 200;

export function countWork(servers: Iterable<AdoptedServer>): WorkCounts {
  const scopes = new Set<GenerationScope>();
  let openCount = 0;
  let upgradedCount = 0;
  for (const server of servers) {
    scopes.add(server.scope);
    openCount += server.openCount;
    upgradedCount += server.kept.size;
  }
  let inFlightCount = 0;
  for (const scope of scopes) inFlightCount += scope.inFlightCount;
  return { inFlightCount, openCount, upgradedCount };
}

/** What a generation has under way with a server: its requests that the generation answers; its upgraded sockets, where it is of
 *  that generation. */
export function pinsOf(server: AdoptedServer, scope: GenerationScope): Pin[] {
  const requests = requestsOf(server).filter((request) => request.scope === scope);
  const sockets = server.scope === scope ? [...server.kept] : [];
  return [
    ...requests.map(({ method, url, sinceS }) => ({
      text: `request ${method} ${url}, in flight for ${secondsNow() - sinceS} s`,
      line: null,
    })),
    ...sockets.map((socket) => toSocketPin(server, socket as Socket)),
  ];
}

/** All that servers have under way; the oldest are named. */
export function toOpenWork(servers: readonly AdoptedServer[]): OpenWork {
  const requests = servers.flatMap(requestsOf);
  const sockets = servers.flatMap((server) => [...server.kept]);
  const openCount = servers.reduce((count, server) => count + server.openCount, 0);
  return {
    requestCount: requests.length,
    requests: oldest(requests).map(({ method = '', url = '', sinceS }) => ({
      method,
      url: url.replace(/\?.*/, '').slice(0, URL_LENGTH_MAX),
      ageS: secondsNow() - sinceS,
    })),
    socketCount: sockets.length,
    sockets: oldest(sockets.map((socket) => ({ socket, ...describeKept(socket) }))).map(
      ({ socket, kind, sinceS }) => ({ kind, peer: toPeer(socket as Socket), ageS: secondsNow() - sinceS }),
    ),
    idleCount: Math.max(0, openCount - requests.length),
  };
}

function requestsOf(server: AdoptedServer): OpenRequest[] {
  return [...httpRequestsOf(server), ...server.http2.streams.values()];
}

function* httpRequestsOf(server: AdoptedServer): Generator<OpenRequest> {
  for (const { response } of server.http1.open()) {
    const { req, [kWork]: scope, [kSince]: sinceS = 0, [kStartedUs]: sinceUs } = response;
    if (scope !== undefined) yield { scope, sinceS, sinceUs, method: req?.method, url: req?.url };
  }
}

type Aged = Pick<OpenRequest, 'sinceS' | 'sinceUs'>;

function oldest<Item extends Aged>(items: readonly Item[]): Item[] {
  return items.toSorted(byAge).slice(0, SHOWN_MAX);
}

/** Microseconds wrap around: of two that are close, the difference is right. */
function byAge(one: Aged, other: Aged): number {
  return one.sinceS - other.sinceS || ((one.sinceUs ?? 0) - (other.sinceUs ?? 0)) | 0;
}

function toSocketPin({ kind, line }: AdoptedServer, socket: Socket): Pin {
  const what = kind === 'net' ? 'socket' : 'upgraded socket';
  const where = line === null ? '' : ` by the server that listens since ${line.text}`;
  return { text: `${what} from ${toPeer(socket)}, accepted${where}`, line: null };
}
