/** Load by strict clients, for the demo, the end-to-end tests and the benchmarks. Nothing is ever tried again. */

import { setTimeout as sleep } from 'node:timers/promises';
import { events, keepAlive, newConnection, slow, strict, upload, type Client } from './clients.ts';
import { Tally, type LoadReport } from './tally.ts';
import { toThinkMs, type ThinkTime } from './think-time.ts';
import { webSocket } from './web-socket.ts';

const clients = { keepAlive, strict, newConnection, slow, upload, events, webSocket } satisfies Record<
  string,
  Client
>;

const WEB_SOCKET_THINK_MS = 100;

export type ClientKind = keyof typeof clients;

export interface ClientGroup {
  readonly count: number;
  /** Time between an answer and the next request; the first of each client begins within as long. */
  readonly think: ThinkTime;
}

export interface LoadOptions {
  /** Such as `http://127.0.0.1:8080`. */
  readonly origin: string;
  /** How many clients of each kind; a number begins at once. */
  readonly clients: Readonly<Partial<Record<ClientKind, number | ClientGroup>>>;
  /** Time between an answer and the next request, where a group has none of its own. */
  readonly thinkMs?: number;
  readonly slowPath?: string;
  readonly uploadPauseMs?: number;
  readonly eventsPath?: string;
}

export interface Load {
  readonly tally: Tally;
  counts(): LoadReport;
  /** Resolves when there have been so many requests. */
  waitForRequests(count: number): Promise<void>;
  /** Resolves when some answer has named the version. */
  waitForVersion(version: string): Promise<void>;
  /** Lets what is in flight end. */
  stop(): Promise<LoadReport>;
}

/** Starts the clients; they work until `stop`. */
export function startLoad({
  origin,
  clients: wanted,
  thinkMs = 5,
  slowPath = '/slow?ms=300',
  uploadPauseMs = 60,
  eventsPath = '/events',
}: LoadOptions): Load {
  const tally = new Tally();
  const stopping = new AbortController();
  const shared = { origin, tally, signal: stopping.signal, slowPath, uploadPauseMs, eventsPath };
  const start = async (kind: ClientKind, think: ThinkTime | undefined): Promise<void> => {
    if (think !== undefined) await sleep(toThinkMs(think));
    const usual = kind === 'webSocket' ? WEB_SOCKET_THINK_MS : thinkMs;
    await clients[kind]({ ...shared, think: think ?? usual });
  };
  const running = Object.entries(wanted).flatMap(([kind, group]) => {
    const { count, think } = typeof group === 'number' ? { count: group } : group;
    return Array.from({ length: count }, async () => start(kind as ClientKind, think));
  });
  return {
    tally,
    counts: () => tally.report(),
    async waitForRequests(count) {
      while (tally.report().requests < count) await sleep(10);
    },
    waitForVersion: (version) => tally.waitForVersion(version),
    async stop() {
      stopping.abort();
      await Promise.all(running);
      return tally.report();
    },
  };
}
