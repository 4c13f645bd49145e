/** Workers that ended unasked: what the last one was, how many in a row, and how long to wait before the next is started. */

import type { ErrorReport } from '../protocol/messages.ts';
import { createBackOff } from './back-off.ts';

/** What `status` says of crashes. */
export interface CrashReport {
  readonly pid: number;
  readonly release: string;
  readonly generation: number;
  /** `exit code 1`, `signal SIGKILL`. */
  readonly exit: string;
  /** The uncaught error that ended it; null where it was none, or it could not tell. */
  readonly error: string | null;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Crashes since one lived for long. */
  readonly inARow: number;
  /** From the crash to the start of the worker that takes its place. */
  readonly delayMs: number;
}

export interface Crash {
  readonly pid: number;
  readonly release: string;
  readonly exit: string;
  readonly lifetimeMs: number;
  /** Where it was before, when the worker did not say where its error came from. */
  readonly generation: number;
}

export interface Crashes {
  /** A worker says that it is about to end, and by which error. */
  announce(pid: number, generation: number, error: ErrorReport): void;
  note(crash: Crash): CrashReport;
  /** The worker that was to take a place could not be started: how long to wait before the next. */
  retry(): number;
  last(): CrashReport | null;
}

export function createCrashes(): Crashes {
  const backOff = createBackOff();
  const announced = new Map<number, { readonly generation: number; readonly error: ErrorReport }>();
  let last: CrashReport | null = null;
  let inARow = 0;
  return {
    announce: (pid, generation, error) => void announced.set(pid, { generation, error }),
    note({ lifetimeMs, ...crash }) {
      const told = announced.get(crash.pid);
      announced.delete(crash.pid);
      const delayMs = backOff.nextDelayMs(lifetimeMs);
      inARow = backOff.isFirst() ? 1 : inARow + 1;
      last = {
        ...crash,
        generation: told?.generation ?? crash.generation,
        error: told?.error.message ?? null,
        at: new Date().toISOString(),
        inARow,
        delayMs,
      };
      return last;
    },
    retry() {
      const delayMs = backOff.nextDelayMs(0);
      if (last !== null) last = { ...last, inARow: ++inARow, delayMs };
      return delayMs;
    },
    last: () => last,
  };
}

/** One line of a log or of `status`. */
export function describeCrash({ pid, release, generation, exit, error, inARow }: CrashReport): string {
  const why = error === null ? exit : `${exit}, ${error}`;
  const often = inARow === 1 ? '' : `; ${inARow} crashes in a row`;
  return `worker ${pid} ended unasked in generation ${generation} of release ${release} (${why})${often}`;
}
