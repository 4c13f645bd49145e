/**
 * The listeners of a keeper that follows one that was killed: the addresses are bound by processes that this one has left,
 * until these are told to leave. That is done when the first of the new processes wants to listen: until then a release that
 * does not load costs nothing. What is bound then listens at once, so that connections wait instead of being refused.
 */

import { rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ListenTarget } from '../protocol/messages.ts';
import type { InheritedSocket } from './inherited-sockets.ts';
import { createListeners, type Listeners } from './listeners.ts';
import { dismissOrphans, type Orphan } from './orphans.ts';

/** A program that has been asked to leave closes its listener within this time, or never. */
const BIND_TIMEOUT_MS = 5_000;
const BIND_RETRY_MS = 2;

export interface InheritedListeners extends Listeners {
  /** Tells those who are left to leave, if nothing has made it necessary before. */
  dismiss(): Promise<void>;
}

export interface InheritedOptions {
  /** `.midflight/`. */
  readonly directory: string;
  readonly orphans: readonly Orphan[];
  /** Passed in by a service manager. */
  readonly sockets: readonly InheritedSocket[];
}

/** Plain listeners where nobody is left. */
export function createInheritedListeners({
  directory,
  orphans,
  sockets,
}: InheritedOptions): InheritedListeners {
  const listeners = createListeners(sockets);
  let dismissed: Promise<void> | null = null;
  const dismiss = async (): Promise<void> => (dismissed ??= dismissOrphans(directory, orphans));

  /** Retries while those that were told to leave may still have the address. */
  async function acquireListening(target: ListenTarget): ReturnType<Listeners['acquire']> {
    await dismiss();
    const deadline = performance.now() + (orphans.length === 0 ? 0 : BIND_TIMEOUT_MS);
    for (;;) {
      try {
        return await listeners.acquireListening(target);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
        if (target.kind === 'unix' && (await isDead(target.path))) rmSync(target.path, { force: true });
        else if (performance.now() > deadline) throw error;
        await sleep(BIND_RETRY_MS);
      }
    }
  }

  return {
    ...listeners,
    acquireListening,
    async acquire(target) {
      const isPlain = orphans.length === 0 && target.kind === 'tcp';
      return isPlain ? listeners.acquire(target) : acquireListening(target);
    },
    dismiss,
  };
}

/** True for a socket file that nobody listens on any more: a process that is killed leaves it. */
async function isDead(file: string): Promise<boolean> {
  const socket = createConnection(file);
  try {
    await once(socket, 'connect');
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
  } finally {
    socket.destroy();
  }
}
