/** Waits until a generation serves what it is going to serve. */

import type { ListenAddress } from './listen-address.ts';

export interface ListeningResult {
  readonly status: 'listening' | 'timeout' | 'cancelled';
  readonly listening: readonly ListenAddress[];
}

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** `all`: every address that is served now; `some`: at least one. */
export type Readiness = 'none' | 'some' | 'all';

/** How long to wait for further servers once one listens: a generation may have dropped an address on purpose. */
const SETTLE_MS = 1000;

/** Asks again whenever one of `watchers` is called, in which it has an entry meanwhile. */
export function whenReady(
  readiness: () => Readiness,
  watchers: Set<() => void>,
  { timeoutMs, signal }: WaitOptions,
): Promise<ListeningResult['status']> {
  const { promise, resolve } = Promise.withResolvers<ListeningResult['status']>();
  let settle: NodeJS.Timeout | undefined;
  const end = (status: ListeningResult['status']): void => {
    clearTimeout(timeout);
    clearTimeout(settle);
    watchers.delete(check);
    signal?.removeEventListener('abort', cancel);
    resolve(status);
  };
  // A process with nothing left to do ends, and that says more than a timeout.
  const timeout = setTimeout(end, timeoutMs, 'timeout').unref();
  const cancel = (): void => end('cancelled');
  const check = (): void => {
    const ready = readiness();
    if (ready === 'all') end('listening');
    else if (ready === 'some') settle ??= setTimeout(end, SETTLE_MS, 'listening');
  };
  watchers.add(check);
  signal?.addEventListener('abort', cancel);
  if (signal?.aborted) cancel();
  else check();
  return promise;
}
