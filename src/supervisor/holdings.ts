/**
 * What the keeper holds for its supervisor: processes and listeners. Does what a supervisor asks, and tells the one that
 * is there what happens; what happens while none is there, the next finds.
 */

import type {
  HostedRecord,
  KeeperEvent,
  KeeperOrder,
  KeeperRequest,
  ProcessSpec,
} from '../protocol/keeper-messages.ts';
import type { OrphanFile } from './orphans.ts';
import { describeExit, type HostedProcess, type ProcessHost } from './process-host.ts';

export interface Holdings {
  /** What concerns processes and listeners of what a supervisor may ask. */
  request(request: KeeperRequest & { readonly type: 'spawn' | 'output' | 'listeners' }): Promise<unknown>;
  order(order: KeeperOrder & { readonly type: 'send' | 'kill' | 'end' | 'route' }): void;
  records(): readonly HostedRecord[];
  /** Ends what is left, and resolves when it has ended. */
  endAll(timeoutMs: number): Promise<void>;
}

interface Held {
  readonly process: HostedProcess;
  readonly spec: ProcessSpec;
}

export interface HoldingsOptions {
  readonly host: ProcessHost;
  readonly orphanFile: OrphanFile;
  /** False where no supervisor is there to hear it. */
  tell(event: KeeperEvent): boolean;
  log(message: string): void;
}

export function createHoldings({ host, orphanFile, tell, log }: HoldingsOptions): Holdings {
  const held = new Map<number, Held>();

  /** For whoever comes after a keeper that is killed. */
  function save(): void {
    orphanFile.write(
      [...held.values()].map(({ process, spec }) => ({ pid: process.pid, isNode: spec.hasChannel })),
    );
  }

  async function start(spec: ProcessSpec): Promise<HostedRecord> {
    // Numbered by the host, which has done so before it says anything.
    const started = Promise.withResolvers<number>();
    const process = await host.spawn(spec, {
      onMessage: (message) =>
        void started.promise.then((id) => tell({ type: 'message', process: id, message })),
      onDisconnect: () => void started.promise.then((id) => tell({ type: 'disconnected', process: id })),
    });
    held.set(process.id, { process, spec });
    save();
    void process.exited.then(() => onExit(process));
    started.resolve(process.id);
    return toRecord({ process, spec });
  }

  async function onExit(process: HostedProcess): Promise<void> {
    const exit = await process.exited;
    const output = await process.output();
    held.delete(process.id);
    save();
    if (tell({ type: 'exited', process: process.id, exit, output })) return;
    log(`process ${process.pid} ended (${describeExit(exit)}) while no supervisor was there`);
  }

  return {
    async request(request) {
      switch (request.type) {
        case 'spawn':
          return start(request.spec);
        case 'output':
          return held.get(request.process)?.process.output() ?? '';
        case 'listeners':
          return host.listeners();
      }
    },
    order(order) {
      if (order.type === 'route') return host.route(order.fromPid, order.toPids);
      const process = held.get(order.process)?.process;
      if (process === undefined) return;
      switch (order.type) {
        case 'send':
          return process.send(order.message);
        case 'kill':
          return process.kill(order.signal);
        case 'end':
          void process.end(order.timeoutMs);
      }
    },
    records: () => [...held.values()].map(toRecord),
    async endAll(timeoutMs) {
      await Promise.all([...held.values()].map(async ({ process }) => process.end(timeoutMs)));
    },
  };
}

function toRecord({ process, spec }: Held): HostedRecord {
  return { id: process.id, pid: process.pid, label: spec.label, isConnected: process.isConnected() };
}
