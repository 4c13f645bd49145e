/** Clients that never try again, and know by which connection each of their requests went. */

import { Agent, get, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

export interface FailedRequest {
  readonly kind: string;
  /** The client's port; 0 where it never had a connection. */
  readonly port: number;
  readonly reason: string;
}

export interface StrictClients {
  readonly failures: readonly FailedRequest[];
  answerCount(): number;
  /** Lets what is in flight end. */
  stop(): Promise<void>;
}

interface Kind {
  readonly count: number;
  readonly isKept: boolean;
  readonly path: string;
  readonly thinkMs: number;
}

const kinds: Readonly<Record<string, Kind>> = {
  busy: { count: 3, isKept: true, path: '/', thinkMs: 10 },
  idle: { count: 4, isKept: true, path: '/', thinkMs: 200 },
  slow: { count: 2, isKept: true, path: '/?ms=120', thinkMs: 10 },
  new: { count: 2, isKept: false, path: '/', thinkMs: 20 },
};
/** Longer than it takes to start a worker again. */
const TIMEOUT_MS = 20_000;

export function startStrictClients(origin: string): StrictClients {
  const failures: FailedRequest[] = [];
  const stopping = new AbortController();
  let answerCount = 0;

  async function run(name: string, { isKept, path, thinkMs }: Kind): Promise<void> {
    const agent = isKept ? new Agent({ keepAlive: true, maxSockets: 1 }) : false;
    while (!stopping.signal.aborted) {
      let port = 0;
      try {
        const request = get(`${origin}${path}`, { agent, signal: AbortSignal.timeout(TIMEOUT_MS) });
        request.on('socket', (socket) => {
          const note = (): void => void (port = socket.localPort ?? port);
          if (socket.connecting) socket.once('connect', note);
          else note();
        });
        const [response] = (await once(request, 'response')) as [IncomingMessage];
        await text(response);
        if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`);
        answerCount++;
      } catch (error) {
        failures.push({ kind: name, port, reason: String(error) });
      }
      await sleep(thinkMs);
    }
    if (agent) agent.destroy();
  }

  const running = Object.entries(kinds).flatMap(([name, kind]) =>
    Array.from({ length: kind.count }, async () => run(name, kind)),
  );
  return {
    failures,
    answerCount: () => answerCount,
    async stop() {
      stopping.abort();
      await Promise.all(running);
    },
  };
}
