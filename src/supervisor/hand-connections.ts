/** The step of a handoff at which one set of workers stops to accept, and another gets its live connections. */

import type { CarryReport, WorkerRequest } from '../protocol/messages.ts';
import { pauseAll, type Member } from './crew.ts';
import { ask } from './worker.ts';
import type { WorkersEnv } from './workers-env.ts';

export interface HandOptions {
  readonly from: Iterable<Member>;
  /** They accept already. */
  readonly to: Iterable<Member>;
  /** Connections that are busy are given when they become idle, until then. */
  readonly timeoutMs: number;
}

/** Resolves when all of `from` have paused; their connections go over in the background. Where nobody could take them, it is a pause only. */
export async function handConnections(env: WorkersEnv, { from, to, timeoutMs }: HandOptions): Promise<void> {
  const givers = [...from];
  const takers = [...to].map(({ worker }) => worker).filter(({ kind }) => kind === 'node');
  for (const [index, { worker, crew }] of givers.entries()) {
    if (takers.length === 0 || worker.kind !== 'node') continue;
    // Each giver begins with another taker.
    const first = index % takers.length;
    const inTurn = [...takers.slice(first), ...takers.slice(0, first)];
    env.route(
      worker.pid,
      inTurn.map(({ pid }) => pid),
    );
    // Before `pause`, which asks to leave whom nobody carries.
    const { policy } = crew?.release.manifest.settings.upgraded ?? { policy: 'carry' };
    void carry(env, worker, { timeoutMs, keepsUpgraded: policy !== 'carry' });
  }
  await pauseAll(givers);
}

async function carry(
  env: WorkersEnv,
  worker: Member['worker'],
  options: Omit<WorkerRequest & { type: 'carry' }, 'type'>,
): Promise<void> {
  // A worker that ends before it has answered has nothing left to give.
  const report = (await ask(worker, { type: 'carry', ...options }).catch(() => null)) as CarryReport | null;
  if (report === null || report.carriedCount + report.refusedCount === 0) return;
  const { carriedCount, refusedCount, longestSilenceMs } = report;
  env.log(
    `worker ${worker.pid} gave ${carriedCount} live connections to the next, none silent for more than ` +
      `${Math.ceil(longestSilenceMs)} ms; ${refusedCount} were refused and stay until they end`,
  );
}
