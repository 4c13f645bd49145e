/**
 * The states of workers that give place to others: which worker passes its own to which, and what becomes of those that can't be
 * passed. The states themselves go from worker to worker.
 */

import { MidflightError } from '../errors.ts';
import type { StatePassing, StateReport } from '../protocol/messages.ts';
import type { Member } from './crew.ts';
import { ask, isSilence } from './worker.ts';
import type { WorkersEnv } from './workers-env.ts';

/** Clients wait for it. 100 MB take about a second. */
const STATE_TIMEOUT_MS = 30_000;
/** A commit follows within milliseconds, once all workers have passed theirs. */
const COMMIT_TIMEOUT_MS = 5_000;

/** One worker, and the one that comes after it. */
export interface Succession {
  readonly from: Member;
  readonly to: Member;
}

export interface StateTimings {
  readonly stateBytes: number;
  /** Of the slowest worker, as they do it at the same time. */
  readonly stateMs: number;
  readonly quiesceMs: number;
}

interface Order {
  readonly mode: StatePassing;
  readonly quiesceTimeoutMs: number;
  readonly commitTimeoutMs: number;
}

export interface StateHandover {
  /** A copy for code that is about to be evaluated, while the old process serves. */
  early(succession: Succession): Promise<void>;
  /** All states of all, for good: those who had them accept and read no more. Null where there are none.
   *  Errors: the first that comes; all serve on then. */
  pass(successions: readonly Succession[], quiesceTimeoutMs: number): Promise<StateTimings | null>;
  /** Back to those who had them before; what can't be passed is there as it was. */
  giveBack(successions: readonly Succession[], quiesceTimeoutMs: number): Promise<void>;
  /** The connections that have not been carried may be read again. */
  unhold(members: Iterable<Member>): void;
  /** Says what has been lost with those that ended after they had been passed states, and before they served. */
  noteUncommitted(successions: readonly Succession[]): void;
  /** They have no successor: says what is lost with them. */
  noteAbandoned(members: readonly Member[]): Promise<void>;
}

/** Makes it; `env` says where the sockets are. `onLost` is told what an operator should know. */
export function createStateHandover(
  env: Pick<WorkersEnv, 'log' | 'stateSocketOf'>,
  onLost: (message: string) => void,
): StateHandover {
  /** Those that are known to have had some. */
  const stateful = new WeakSet<Member>();
  /** What they have been passed for good. */
  const receivedBy = new WeakMap<Member, readonly string[]>();

  /** One that does not know the question has none. Errors: ERR_MIDFLIGHT_WORKER_SILENT. */
  async function namesOf(member: Member): Promise<readonly string[]> {
    const answer = (await ask(member.worker, { type: 'states' }).catch((error: unknown) => {
      if (isSilence(error)) throw error;
      return null;
    })) as readonly string[] | null;
    if (answer !== null && answer.length > 0) stateful.add(member);
    return answer ?? [];
  }

  async function send({ from, to }: Succession, order: Order): Promise<StateReport | null> {
    const names = await namesOf(from);
    if (names.length === 0 && stateful.has(from) && from.worker.hasExited()) throw ended(from);
    if (names.length === 0) return null;
    const transfer = {
      path: env.stateSocketOf(to.worker.pid),
      mode: order.mode,
      timeoutMs: STATE_TIMEOUT_MS,
    };
    // It listens for as long as the other one may take until it comes.
    const timeoutMs = STATE_TIMEOUT_MS + order.quiesceTimeoutMs;
    await ask(to.worker, { type: 'receiveState', ...transfer, timeoutMs });
    try {
      return (await ask(from.worker, { type: 'sendState', ...order, ...transfer })) as StateReport;
    } catch (error) {
      throw from.worker.hasExited() ? ended(from) : error;
    }
  }

  async function early(succession: Succession): Promise<void> {
    const { from } = succession;
    try {
      await send(succession, { mode: 'early', quiesceTimeoutMs: 0, commitTimeoutMs: 0 });
    } catch (error) {
      // What has crashed has no states any more.
      if (!from.worker.hasExited()) throw error;
      env.log(`worker ${from.worker.pid} ended before its states could be passed`);
    }
  }

  async function pass(
    successions: readonly Succession[],
    quiesceTimeoutMs: number,
  ): Promise<StateTimings | null> {
    const order = {
      mode: 'handoff',
      quiesceTimeoutMs,
      commitTimeoutMs: toCommitTimeout(successions),
    } as const;
    const sent = successions.map((each) => send(each, order));
    const results = await Promise.allSettled(sent);
    const failure = results.find((result) => result.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
    const reports = results.map((result) => (result.status === 'fulfilled' ? result.value : null));
    for (const [index, { from, to }] of successions.entries()) {
      const report = reports[index];
      if (!report) continue;
      receivedBy.set(
        to,
        report.states.map(({ name }) => name),
      );
      env.log(`states passed from worker ${from.worker.pid} to ${to.worker.pid}: ${describe(report)}`);
    }
    return toTimings(reports.filter((report) => report !== null));
  }

  async function giveBack(successions: readonly Succession[], quiesceTimeoutMs: number): Promise<void> {
    const order = { mode: 'back', quiesceTimeoutMs, commitTimeoutMs: toCommitTimeout(successions) } as const;
    await Promise.all(
      successions.map(async (each) => {
        const { pid } = each.to.worker;
        const names = await namesOf(each.to).catch(() => []);
        if (names.length === 0) return;
        try {
          if (each.from.worker.hasExited()) throw ended(each.from);
          const report = await send(each, order);
          if (report !== null) env.log(`states passed back to worker ${pid}: ${describe(report)}`);
          for (const { name, error } of report?.failures ?? [])
            env.log(`the state "${name}" of worker ${pid} is as it was before the handoff: ${error.message}`);
        } catch (error) {
          const why = error instanceof Error ? error.message : String(error);
          env.log(`the states ${quote(names)} of worker ${pid} are as they were before the handoff: ${why}`);
        }
      }),
    );
  }

  return {
    early,
    pass,
    giveBack,
    unhold(members) {
      for (const { worker } of members) {
        ask(worker, { type: 'unhold' }).catch(() => {
          // It has ended, and with it what it held.
        });
      }
    },
    noteUncommitted(successions) {
      for (const { from, to } of successions) {
        const names = receivedBy.get(to) ?? [];
        if (to.state !== 'starting' || names.length === 0) continue;
        const [{ pid }, before] = [to.worker, from.worker.pid];
        onLost(
          `worker ${pid} ended before it served, and with it what worker ${before} had passed to it: ${quote(names)}`,
        );
      }
    },
    async noteAbandoned(members) {
      for (const member of members) {
        const names = await namesOf(member).catch(() => []);
        if (names.length > 0)
          env.log(`worker ${member.worker.pid} has no successor, so its states are lost: ${quote(names)}`);
      }
    },
  };
}

/** One that is ready waits for the slowest. */
function toCommitTimeout({ length }: readonly Succession[]): number {
  return length > 1 ? STATE_TIMEOUT_MS + COMMIT_TIMEOUT_MS : COMMIT_TIMEOUT_MS;
}

function ended({ worker }: Member): MidflightError {
  const problem = `worker ${worker.pid} ended before it had passed them`;
  return new MidflightError('ERR_MIDFLIGHT_STATE_TRANSFER_FAILED', [problem]);
}

function toTimings(reports: readonly StateReport[]): StateTimings | null {
  if (reports.length === 0) return null;
  return {
    stateBytes: reports.reduce(
      (sum, { states }) => sum + states.reduce((all, each) => all + each.byteCount, 0),
      0,
    ),
    stateMs: Math.max(...reports.map(({ stateMs }) => stateMs)),
    quiesceMs: Math.max(...reports.map(({ quiesceMs }) => quiesceMs)),
  };
}

function describe({ states, quiesceMs, inFlightCount }: StateReport): string {
  const each = states.map(
    ({ name, byteCount, durationMs }) => `"${name}" ${byteCount} bytes in ${Math.round(durationMs)} ms`,
  );
  const still = inFlightCount === 0 ? '' : ` with ${inFlightCount} requests still in flight`;
  return `${each.join(', ') || 'none'}; quiet after ${Math.round(quiesceMs)} ms${still}`;
}

function quote(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}
