/** Real processes under a real host, between which connections are carried. */

import { fileURLToPath } from 'node:url';
import type { CarryReport } from '../../src/protocol/messages.ts';
import { createListeners } from '../../src/supervisor/listeners.ts';
import { createLocalHost } from '../../src/supervisor/local-host.ts';
import type { HostedProcess } from '../../src/supervisor/process-host.ts';
import type { CarryRequest, ServerSettings } from './carry-process.ts';

export interface CarryProcess {
  readonly hosted: HostedProcess;
  readonly pid: number;
  ask(request: CarryRequest): Promise<unknown>;
}

export interface CarryWorld extends AsyncDisposable {
  /** Settings of this one's server, in place of those of all. */
  start(settings?: ServerSettings): Promise<CarryProcess>;
  route(from: CarryProcess, to: readonly CarryProcess[]): void;
  /** `giver` gives until nothing is left; `taker` accepts already. */
  carry(giver: CarryProcess, taker: CarryProcess, timeoutMs?: number): Promise<CarryReport>;
}

export interface CarryWorldOptions {
  readonly mainFile?: string;
  readonly settings?: ServerSettings;
  /** A Unix socket to listen on. */
  readonly path?: string;
  readonly execPath?: string;
}

const kMainFile = fileURLToPath(new URL('carry-process.ts', import.meta.url));

export function createCarryWorld(options: CarryWorldOptions = {}): CarryWorld & { port(): number } {
  const listeners = createListeners();
  const host = createLocalHost({ listeners, sinks: [process.stderr] });
  const processes: CarryProcess[] = [];
  let port = 0;

  return {
    port: () => port,
    async start(given = options.settings) {
      // Connections rest while processes start.
      const settings = { keepAliveTimeout: 600_000, ...given };
      const pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
      let lastId = 0;
      const hosted = await host.spawn(
        {
          label: null,
          file: options.execPath ?? process.execPath,
          args: [options.mainFile ?? kMainFile],
          cwd: process.cwd(),
          env: process.env,
          hasChannel: true,
          listen: [],
        },
        {
          onMessage(raw) {
            const message = raw as { id?: number; done?: unknown; failed?: { message: string } };
            const waiting = pending.get(message.id ?? 0);
            if (message.failed === undefined) waiting?.resolve(message.done);
            else waiting?.reject(new Error(message.failed.message));
          },
        },
      );
      const started: CarryProcess = {
        hosted,
        pid: hosted.pid,
        ask(request) {
          const { promise, resolve, reject } = Promise.withResolvers<unknown>();
          pending.set(++lastId, { resolve, reject });
          hosted.send({ cmd: 'NODE_MIDFLIGHT', id: lastId, request });
          void hosted.exited.then(() => reject(new Error(`process ${hosted.pid} has ended`)));
          return promise;
        },
      };
      processes.push(started);
      const serve = { type: 'serve', path: options.path ?? null, settings } as const;
      port = (await started.ask(serve)) as number;
      return started;
    },
    route: (from, to) =>
      host.route(
        from.pid,
        to.map(({ pid }) => pid),
      ),
    async carry(giver, taker, timeoutMs = 10_000) {
      host.route(giver.pid, [taker.pid]);
      const carried = giver.ask({ type: 'carry', timeoutMs });
      await giver.ask({ type: 'pause' });
      return (await carried) as CarryReport;
    },
    async [Symbol.asyncDispose]() {
      for (const { hosted } of processes) hosted.kill('SIGKILL');
      await Promise.all(processes.map(({ hosted }) => hosted.exited));
      listeners.close();
    },
  };
}
