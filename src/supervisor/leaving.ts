/** The workers that serve no more: they drain and end in the background, since no deploy waits for the last client of the old code. */

import type { DrainAnswer } from '../protocol/messages.ts';
import { leaveCrew, type Crew, type Member } from './crew.ts';
import { STOP_TIMEOUT_MS } from './process-host.ts';
import { ask } from './worker.ts';

export interface Leaving {
  readonly members: ReadonlySet<Member>;
  /** All of a crew, within the time that its release gives them. */
  leave(crew: Crew): void;
  end(member: Member, timeoutMs: number): void;
}

/** Makes the set of those who leave. */
export function createLeaving(log: (message: string) => void): Leaving {
  const members = new Set<Member>();

  function end(member: Member, timeoutMs: number): void {
    leaveCrew(member);
    member.state = 'draining';
    members.add(member);
    void drainAndEnd(member, timeoutMs).finally(() => members.delete(member));
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
    leave(crew) {
      for (const member of crew.members) end(member, crew.release.manifest.settings.drainTimeoutMs);
    },
  };
}

/** Ends one that nothing takes the place of before it has ended: idle connections are not waited for. */
export async function drainQuickly({ worker }: Member, timeoutMs: number): Promise<void> {
  await ask(worker, { type: 'quiesce', timeoutMs }).catch(() => null);
  await worker.end(STOP_TIMEOUT_MS);
}

/** What the end of a worker takes with it. */
export function describeCut({ inFlightCount, openCount, upgradedCount }: DrainAnswer): string {
  return `${inFlightCount} requests, ${openCount} connections, ${upgradedCount} WebSockets are cut`;
}
