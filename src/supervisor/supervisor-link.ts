/** One supervisor as its keeper sees it: a child that asks for things, until it ends. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  KeeperEvent,
  KeeperOrder,
  KeeperRequest,
  KeeperToSupervisor,
  ProcessExit,
  SupervisorToKeeper,
} from '../protocol/keeper-messages.ts';
import { toErrorReport } from '../protocol/messages.ts';

/** Messages that a supervisor has sent before its end are read by then. */
const LAST_WORDS_MS = 1_000;

export interface SupervisorLink {
  readonly pid: number;
  /** Resolves when it has ended and all that it said has been heard. */
  readonly ended: Promise<ProcessExit>;
  tell(event: KeeperEvent): void;
  kill(): void;
}

export interface LinkOptions {
  readonly file: string;
  readonly args: readonly string[];
  onRequest(request: KeeperRequest): Promise<unknown>;
  onOrder(order: KeeperOrder): void;
}

/** Starts it. Its lines go where the keeper's go. */
export function startSupervisor({ file, args, onRequest, onOrder }: LinkOptions): SupervisorLink {
  const child = spawn(process.execPath, [file, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    // Out of the terminal's group: the keeper gets Ctrl-C, and says so.
    detached: true,
  });
  const post = (message: KeeperToSupervisor): void => {
    if (!child.connected) return;
    child.send(message, () => {
      // Who has ended needs no answer.
    });
  };
  child.on('message', (message: SupervisorToKeeper) => {
    if ('order' in message) return onOrder(message.order);
    const { id, request } = message;
    onRequest(request).then(
      (done) => post({ id, done: done ?? null }),
      (error: unknown) => post({ id, failed: toErrorReport(error) }),
    );
  });
  return {
    pid: child.pid ?? -1,
    ended: waitForEnd(child),
    tell: (event) => post({ event }),
    kill: () => void child.kill('SIGKILL'),
  };
}

async function waitForEnd(child: ChildProcess): Promise<ProcessExit> {
  const silent = once(child, 'disconnect').catch(() => null);
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    if (child.connected) await Promise.race([silent, sleep(LAST_WORDS_MS, null, { ref: false })]);
    return { code, signal };
  } catch {
    return { code: 127, signal: null };
  }
}
