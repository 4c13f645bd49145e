/** The workers that serve no more: they drain and end in the background, since no deploy waits for the last client of the old code. */

import type { DrainAnswer } from '../protocol/messages.ts';
import { leaveCrew, type Crew, type Member } from './crew.ts';
import { STOP_TIMEOUT_MS } from './process-host.ts';
import { ask } from './worker.ts';

export interface Leaving {
  /** By when each of them ends, in milliseconds since 1970. */
  readonly members: ReadonlyMap<Member, number>;
  /** All of a crew, within the time that its release gives them. */
  leave(crew: Crew): void;
  end(member: Member, timeoutMs: number): void;
  /** Resolves when it has ended, without waiting for idle connections: nothing takes its place before. */
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

  async function during(member: Member, timeoutMs: number, work: () => Promise<unknown>): Promise<void> {
    leaveCrew(member);
    member.state = 'draining';
    members.set(member, date() + timeoutMs);
    onChange();
    try {
      await work();
    } finally {
      members.delete(member);
    }
  }

  function end(member: Member, timeoutMs: number): void {
    void during(member, timeoutMs, async () => drainAndEnd(member, timeoutMs));
  }

  async function drainAndEnd({ worker }: Member, timeoutMs: number): Promise<void> {
    try {
      const left = (await ask(worker, { type: 'drain', timeoutMs })) as DrainAnswer | null;
      if (left?.timedOut === true)
        log(`worker ${worker.pid} was not drained after ${timeoutMs} ms: ${describeCut(left)}`);
    } catch (error) {
      log(`worker ${worker.pid} could not be drained: ${String(error)}`);
    }
    // A program that is not Node drains on SIGTERM by itself.
    await worker.end(worker.kind === 'node' ? STOP_TIMEOUT_MS : timeoutMs);
  }

  return {
    members,
    end,
    endQuickly: async (member, timeoutMs) =>
      during(member, timeoutMs, async () => {
        await ask(member.worker, { type: 'quiesce', timeoutMs }).catch(() => null);
        await member.worker.end(STOP_TIMEOUT_MS);
      }),
    leave(crew) {
      for (const member of crew.members) end(member, crew.release.manifest.settings.drainTimeoutMs);
    },
  };
}

/** What the end of a worker takes with it. */
export function describeCut({ inFlightCount, openCount, upgradedCount }: DrainAnswer): string {
  return `${inFlightCount} requests, ${openCount} connections, ${upgradedCount} WebSockets are cut`;
}
