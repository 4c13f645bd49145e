/**
 * Evens out how many live connections the workers of an app have. The kernel gives a new connection to whichever worker wakes first, and
 * one that was started later, by scaling or after a crash, has none of the old ones. So who has far more than the others gives some.
 *
 * Figures, and why nothing else is done: docs/design/handoff/balance.md
 */

import type { CarryReport, WorkerStatus } from '../protocol/messages.ts';
import type { Member } from './crew.ts';
import { ask } from './worker.ts';
import type { WorkersEnv } from './workers-env.ts';

const CHECK_INTERVAL_MS = 1_000;
/** What is busy for all of it stays. */
const CARRY_TIMEOUT_MS = 1_000;
/** One that could give nothing has what can't be carried, such as TLS. */
const REST_MS = 60_000;
/** By less than this, in both ways, nobody is worse off. */
const SHARE_MAX = 1.5;
const SURPLUS_COUNT_MIN = 32;

export interface BalanceOptions {
  readonly env: Pick<WorkersEnv, 'route' | 'now' | 'log'>;
  /** Those that serve; none while anything else is under way with them. */
  members(): readonly Member[];
}

/** By index: who gives how many, to whom. */
export interface Gift {
  readonly from: number;
  readonly to: readonly number[];
  readonly countMax: number;
}

/** Looks every second until it is disposed of. */
export function watchBalance({ env, members }: BalanceOptions): { check(): Promise<void>; dispose(): void } {
  const resting = new WeakMap<Member, number>();
  let isChecking = false;

  async function check(): Promise<void> {
    if (isChecking || members().length < 2) return;
    isChecking = true;
    try {
      await look(members());
    } finally {
      isChecking = false;
    }
  }

  async function look(before: readonly Member[]): Promise<void> {
    const counts = await Promise.all(before.map(countOf));
    const now = members();
    // Meanwhile something else may have begun with them, or one has ended.
    if (counts.includes(null) || before.some((member, index) => now[index] !== member)) return;
    const given = toGifts(counts as number[]).map(async (gift) => give(gift, now));
    await Promise.all(given);
  }

  async function give({ from, to, countMax }: Gift, all: readonly Member[]): Promise<void> {
    const giver = all[from];
    const takers = to.flatMap((index) => all[index]?.worker.pid ?? []);
    if (giver === undefined || (resting.get(giver) ?? 0) > env.now()) return;
    const { pid } = giver.worker;
    const policy = giver.crew?.release.manifest.settings.upgraded.policy;
    env.route(pid, takers);
    const request = {
      type: 'carry',
      timeoutMs: CARRY_TIMEOUT_MS,
      keepsUpgraded: policy !== 'carry',
      countMax,
    } as const;
    const report = (await ask(giver.worker, request).catch(() => null)) as CarryReport | null;
    const carriedCount = report?.carriedCount ?? 0;
    if (carriedCount === 0) resting.set(giver, env.now() + REST_MS);
    else env.log(`worker ${pid} had more connections than the others, and gave them ${carriedCount}`);
  }

  const timer = setInterval(() => void check(), CHECK_INTERVAL_MS).unref();
  return { check, dispose: () => clearInterval(timer) };
}

/** None where the difference is of no account. */
export function toGifts(counts: readonly number[]): readonly Gift[] {
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  const to = [...counts.keys()].filter((index) => (counts[index] ?? 0) < mean);
  return [...counts.entries()]
    .filter(([, count]) => count > mean * SHARE_MAX && count > mean + SURPLUS_COUNT_MIN)
    .map(([from, count]) => ({ from, to, countMax: Math.floor(count - mean) }));
}

async function countOf({ worker }: Member): Promise<number | null> {
  if (worker.kind !== 'node') return null;
  try {
    // For as long as one hangs nobody knows who has how much.
    const { open, upgraded } = (await ask(worker, { type: 'status' })) as WorkerStatus;
    return open + upgraded;
  } catch {
    return null;
  }
}
