/** The workers that serve no more: they drain and end in the background, since no deploy waits for the last client of the old code. */

import type { DrainAnswer, UpgradedPolicy, WorkerRequest } from '../protocol/messages.ts';
import { leaveCrew, type Crew, type Member } from './crew.ts';
import { describeWork } from './describe-work.ts';
import { STOP_TIMEOUT_MS } from './process-host.ts';
import { ask, askWithin } from './worker.ts';

/** Something waits for its end, and nothing is carried. */
const ANSWER_TIMEOUT_MS = 5_000;

type DrainOptions = Omit<WorkerRequest & { type: 'drain' }, 'type'>;

export interface Leaving {
  /** By when each of them ends, in milliseconds since 1970. */
  readonly members: ReadonlyMap<Member, number>;
  /** All of a crew, within the time and by the policy that its release has. */
  leave(crew: Crew): void;
  /** Without a policy upgraded sockets stay until the deadline. */
  end(member: Member, timeoutMs: number, upgraded?: UpgradedPolicy): void;
  /** Resolves when it has ended, without waiting for idle connections: nothing takes its place before. Upgraded sockets are told at
   *  once. */
  endQuickly(member: Member, timeoutMs: number): Promise<void>;
}

export interface LeavingOptions {
  /** Milliseconds since 1970. */
  date(): number;
  log(message: string): void;
  /** Called before anything is asked of a member that leaves. */
  onChange(): void;
}

/** Makes the set of those who leave. */
export function createLeaving({ date, log, onChange }: LeavingOptions): Leaving {
  const members = new Map<Member, number>();

  async function leaveWith(member: Member, options: DrainOptions): Promise<void> {
    leaveCrew(member);
    member.state = 'draining';
    members.set(member, date() + options.timeoutMs);
    onChange();
    try {
      await drainAndEnd(member, options);
    } finally {
      members.delete(member);
    }
  }

  async function drainAndEnd({ worker }: Member, options: DrainOptions): Promise<void> {
    const { timeoutMs } = options;
    try {
      const request = { type: 'drain', ...options } as const;
      const asked =
        options.idle === 'leave'
          ? askWithin(worker, request, timeoutMs + ANSWER_TIMEOUT_MS)
          : ask(worker, request);
      const left = (await asked) as DrainAnswer | null;
      if (left?.timedOut === true)
        log(`worker ${worker.pid} was not drained after ${timeoutMs} ms; ${describeCut(left)}`);
    } catch (error) {
      if (!worker.hasExited()) log(`worker ${worker.pid} could not be drained: ${String(error)}`);
    }
    // A program that is not Node drains on SIGTERM by itself.
    const stopTimeoutMs = worker.kind === 'node' ? STOP_TIMEOUT_MS : timeoutMs;
    const beganAtMs = date();
    const { signal } = await worker.end(stopTimeoutMs);
    // Somebody who cuts is quicker.
    if (signal === 'SIGKILL' && date() - beganAtMs >= stopTimeoutMs - 1)
      log(`worker ${worker.pid} did not end within ${stopTimeoutMs} ms of SIGTERM: SIGKILL`);
  }

  function end(member: Member, timeoutMs: number, upgraded: UpgradedPolicy = kept): void {
    void leaveWith(member, { timeoutMs, idle: 'await', upgraded });
  }

  return {
    members,
    end,
    endQuickly: async (member, timeoutMs) =>
      leaveWith(member, { timeoutMs, idle: 'leave', upgraded: { policy: 'close', spreadMs: 0 } }),
    leave({ members: leaving, release }) {
      const { drainTimeoutMs, upgraded } = release.manifest.settings;
      for (const member of leaving) end(member, drainTimeoutMs, upgraded);
    },
  };
}

const kept: UpgradedPolicy = { policy: 'keep', spreadMs: 0 };

/** What the end of a worker takes with it, by name as far as that is known. */
export function describeCut({ inFlightCount, openCount, upgradedCount, cut }: DrainAnswer): string {
  const what =
    cut === null
      ? `${inFlightCount} requests, ${openCount} connections, ${upgradedCount} upgraded sockets`
      : describeWork(cut);
  return `cut: ${what}`;
}
