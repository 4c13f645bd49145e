/** Load by strict clients, for the demo, the end-to-end tests and the benchmarks. Nothing is ever tried again. */

import { events, keepAlive, newConnection, slow, upload, type Client } from './clients.ts';
import { Tally, type LoadReport } from './tally.ts';
import { webSocket } from './web-socket.ts';

const clients = { keepAlive, newConnection, slow, upload, events, webSocket } satisfies Record<
  string,
  Client
>;

export type ClientKind = keyof typeof clients;

export interface LoadOptions {
  /** Such as `http://127.0.0.1:8080`. */
  readonly origin: string;
  /** How many clients of each kind. */
  readonly clients: Readonly<Partial<Record<ClientKind, number>>>;
  /** Time between an answer and the next request. */
  readonly thinkMs?: number;
  readonly slowPath?: string;
}

export interface Load {
  counts(): LoadReport;
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
}: LoadOptions): Load {
  const tally = new Tally();
  const stopping = new AbortController();
  const options = { origin, tally, signal: stopping.signal, thinkMs, slowPath };
  const running = Object.entries(wanted).flatMap(([kind, count]) =>
    Array.from({ length: count }, () => clients[kind as ClientKind](options)),
  );
  return {
    counts: () => tally.report(),
    waitForVersion: (version) => tally.waitForVersion(version),
    async stop() {
      stopping.abort();
      await Promise.all(running);
      return tally.report();
    },
  };
}
