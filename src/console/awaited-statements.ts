/** Statements that clients have been asked for, by release. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Envelope } from '../release/dsse.ts';

/** Who signs is asked at once, and may have to type what a key store wants. */
const SIGN_TIMEOUT_MS = 60_000;

export interface AwaitedStatements {
  /** Null where the client can't, is gone, or has not answered in time. */
  wait(release: string, gone: AbortSignal): Promise<Envelope | null>;
  /** False where nobody waits for it. */
  deliver(release: string, envelope: Envelope | null): boolean;
}

export function createAwaitedStatements(): AwaitedStatements {
  const waiting = new Map<string, (envelope: Envelope | null) => void>();
  return {
    async wait(release, gone) {
      const { promise, resolve } = Promise.withResolvers<Envelope | null>();
      waiting.set(release, resolve);
      const late = sleep(SIGN_TIMEOUT_MS, null, { signal: gone, ref: false }).catch(() => null);
      try {
        return await Promise.race([promise, late]);
      } finally {
        waiting.delete(release);
      }
    },
    deliver(release, envelope) {
      const resolve = waiting.get(release);
      resolve?.(envelope);
      return resolve !== undefined;
    },
  };
}
