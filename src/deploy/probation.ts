/** The time after a commit in which something may speak against the release. */

import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HealthSettings } from '../protocol/manifest.ts';
import type { Workers } from '../supervisor/workers.ts';

/** `superseded`: the next deploy came first; the release to go back to stays the last one that passed. `withdrawn`: somebody wants
 *  the release before back. */
export type Intervention = 'superseded' | 'withdrawn';
export type Verdict = 'passed' | Intervention | Error;

export interface ProbationOptions {
  readonly generation: number;
  readonly probationMs: number;
  readonly health: Pick<HealthSettings, 'intervalMs' | 'failures'>;
  /** Null where how it serves does not count. */
  readonly look: Look | null;
  /** Aborted by who ends it before its time, with an Intervention as the reason. */
  readonly intervention: AbortSignal;
}

/** Compares the release with the one before; what speaks against it, in words, or null. */
export type Look = (isLast: boolean) => Promise<string | null>;

/** A release that fails altogether need not go on doing so until the end; and a stall, which is in two of the parts between two looks
 *  at most, leaves enough of them to tell. */
export const LOOK_COUNT = 6;

export interface Judge {
  /** Resolves at the first fault, or at the end. Faults since the commit count, not only those from now on. */
  watch(options: ProbationOptions): Promise<Verdict>;
}

/** Listens to the faults of all generations from now on. */
export function createJudge(workers: Workers): Judge {
  const faults = new EventEmitter<Record<string, [Error]>>();
  let latest: { readonly generation: number; readonly error: Error } | null = null;
  workers.events.on('fault', (error, generation) => {
    latest = { generation, error };
    faults.emit(String(generation), error);
  });

  async function watch(options: ProbationOptions): Promise<Verdict> {
    const { generation, health, intervention } = options;
    if (latest?.generation === generation) return latest.error;
    const ended = new AbortController();
    const { signal } = ended;
    const over = new AbortController();
    const passed = (): Verdict => 'passed';
    const checked = checkUntil({ ended: signal, over: over.signal }, health);
    const inTime = async (): Promise<Verdict> => {
      const verdict = await passTime(signal, options);
      if (verdict !== 'passed') return verdict;
      over.abort();
      return checked;
    };
    try {
      return await Promise.race([
        inTime(),
        waitForAbort(intervention, signal).then(() => intervention.reason as Intervention, passed),
        once(faults, String(generation), { signal }).then(([error]) => error as Error, passed),
        checked,
      ]);
    } finally {
      ended.abort();
      over.abort();
    }
  }

  /** Resolves at the end of the time, or at the first look that finds something. */
  async function passTime(
    signal: AbortSignal,
    { probationMs, look }: Pick<ProbationOptions, 'probationMs' | 'look'>,
  ): Promise<Verdict> {
    for (let count = 1; count <= LOOK_COUNT && !signal.aborted; count++) {
      await sleep(probationMs / LOOK_COUNT, null, { signal }).catch(() => null);
      const found = look === null || probationMs === 0 ? null : await look(count === LOOK_COUNT);
      if (found !== null) return new Error(found);
    }
    return 'passed';
  }

  /** Resolves after so many failed checks in a row; else when the time is over, but not before a check that is under way, or has
   *  failed, has been followed by a good one: who is ill, or does not answer, has not passed. */
  async function checkUntil(
    { ended, over }: { readonly ended: AbortSignal; readonly over: AbortSignal },
    { intervalMs, failures }: ProbationOptions['health'],
  ): Promise<Verdict> {
    for (let failed = 0; ;) {
      const signal = failed === 0 ? over : ended;
      const isDue = await sleep(intervalMs, true, { signal }).catch(() => false);
      if (!isDue) return 'passed';
      try {
        await workers.checkHealth();
        failed = 0;
      } catch (error) {
        failed++;
        if (failed >= failures) return error as Error;
      }
    }
  }

  return { watch };
}

async function waitForAbort(awaited: AbortSignal, signal: AbortSignal): Promise<void> {
  if (!awaited.aborted) await once(awaited, 'abort', { signal });
}
