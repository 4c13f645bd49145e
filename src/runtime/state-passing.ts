/**
 * What one worker does when the states go from one process to another, at either end. Owns whether this one is held: it
 * neither accepts nor reads, so that nothing is asked of it that would write to a state that has been passed already.
 *
 * 1. Whatever fails, it serves as before, at the latest when it has waited in vain for the commit.
 * 2. No request or socket writes to a passed state without being told: it is looked at when what still ran has ended.
 *
 * state   | event                         | next    | function
 * serving | handoff or back, as sender    | held    | #hold
 * held    | resume, a failure, too late   | serving | resume, #giveUp
 * held    | the keeper is gone            | serving | serveAlone: who has not committed ends, and who has serves, too
 * held    | pause                         | leaving | pause
 * leaving | unhold, too late              | left    | unhold
 * leaving | the keeper is gone            | left    | serveAlone
 * left    | resume                        | serving | resume
 */

import type { StateReport, StatePassing as Mode } from '../protocol/messages.ts';
import { toErrorReport } from '../protocol/messages.ts';
import { silenceIntervals } from './lifetime.ts';
import { waitUntil } from './servers/drain-servers.ts';
import type { ServerAdoption } from './servers/server-adoption.ts';
import type { EncodedState } from './state-entry.ts';
import { receiveStates, sendStates, toChecksum, type SentStates } from './state-transfer.ts';
import type { StateEncoding, StateProblem, StateRegistry, WantedStates } from './state.ts';

/** Clients wait while it is looked whether work has ended. */
const QUIET_CHECK_MS = 2;
/** Work that runs for longer after a handoff is looked at when its process ends. */
const LATE_WRITES_TIMEOUT_MS = 600_000;

export interface StatePassingOptions {
  readonly servers: ServerAdoption;
  readonly states: StateRegistry;
  /** Evaluates what is being prepared once more, with the states that have come. */
  prepareAgain(): Promise<unknown>;
  /** Keeps the process up until the returned function is called: one that does not accept has nothing else to do. */
  keepAlive(): () => void;
  /** These states were written to after they had been passed. */
  onLost(names: readonly string[]): void;
}

export interface ReceiveRequest {
  readonly path: string;
  readonly mode: Mode;
  readonly timeoutMs: number;
}

export interface SendRequest extends ReceiveRequest {
  readonly quiesceTimeoutMs: number;
  /** Whoever has passed its states and does not hear how it went on by then goes on by itself: clients are waiting. */
  readonly commitTimeoutMs: number;
}

export interface StatePassing {
  /** Resolves when another process can connect. Errors: ERR_MIDFLIGHT_STATE_TRANSFER_FAILED. */
  receive(request: ReceiveRequest): Promise<void>;
  /** Resolves when the other process has taken over. Errors: by name, and then this process serves on. */
  send(request: SendRequest): Promise<StateReport>;
  /** Serves, as if nothing had been passed. */
  resume(): Promise<void>;
  /** Another process serves; what is held stays so until it has been carried, or `unhold`. */
  pause(): void;
  unhold(): Promise<void>;
  /** Nobody will say any more how it goes on. */
  serveAlone(): Promise<void>;
  /** Tells of what has been written to since the states were passed, if anything could. */
  noteLost(): void;
}

/** Makes this process's end, serving. */
export function createStatePassing(options: StatePassingOptions): StatePassing {
  return new Passing(options);
}

interface Passed {
  readonly wanted: WantedStates;
  readonly checksums: Map<string, string>;
  /** Something was under way then, or connections have stayed since. */
  isWritable: boolean;
}

class Passing implements StatePassing {
  readonly #options: StatePassingOptions;
  #status: 'serving' | 'held' | 'leaving' | 'left' = 'serving';
  #patience: NodeJS.Timeout | undefined;
  #stopKeeping: (() => void) | undefined;
  #passed: Passed | null = null;

  constructor(options: StatePassingOptions) {
    this.#options = options;
  }

  async receive({ path, mode, timeoutMs }: ReceiveRequest): Promise<void> {
    const { states } = this.#options;
    await receiveStates({
      path,
      timeoutMs,
      // What is evaluated with the early ones has not said yet what it wants.
      wanted: () => (mode === 'early' ? new Map() : states.wanted()),
      take: (received) => this.#take(received, mode),
    });
  }

  async #take(received: readonly EncodedState[], mode: Mode): Promise<readonly StateProblem[]> {
    const { states, prepareAgain } = this.#options;
    const problems = states.receive(received, { isEarly: mode === 'early' });
    // It is the owner again.
    if (mode === 'back') this.#passed = null;
    if (mode !== 'handoff' || problems.length === 0) return problems;
    // What can't be put into an object that modules hold can be had by modules that are evaluated now. If the reason is
    // another, they fail for that.
    await prepareAgain();
    return [];
  }

  async send(request: SendRequest): Promise<StateReport> {
    const startedAt = performance.now();
    if (request.mode === 'early') return this.#transfer(request, startedAt);
    try {
      await this.#hold(request.quiesceTimeoutMs);
      return await this.#transfer(request, startedAt);
    } catch (error) {
      await this.resume();
      throw error;
    }
  }

  async #hold(quiesceTimeoutMs: number): Promise<void> {
    const { servers } = this.#options;
    this.#status = 'held';
    this.#stopKeeping ??= this.#options.keepAlive();
    silenceIntervals(true);
    await servers.hold();
    const isQuiet = (): boolean => servers.counts().inFlightCount === 0;
    await waitUntil(isQuiet, { timeoutMs: quiesceTimeoutMs, checkIntervalMs: QUIET_CHECK_MS });
    servers.holdKept();
  }

  async #transfer(request: SendRequest, startedAt: number): Promise<StateReport> {
    const { servers, states } = this.#options;
    const { inFlightCount, upgradedCount } = servers.counts();
    const isBusy = request.mode !== 'early' && inFlightCount + upgradedCount > 0;
    const quietAt = performance.now();
    const failures: StateProblem[] = [];
    const sent = await sendStates({
      path: request.path,
      timeoutMs: request.timeoutMs,
      // Of what may be written to meanwhile all is copied in one step, so that the states fit together.
      encode: (wanted) => (isBusy ? encodeAtOnce(states.encode(wanted)) : states.encode(wanted)),
      ...(request.mode === 'handoff' ? {} : { onProblem: (problem) => failures.push(problem) }),
    });
    if (request.mode !== 'early') this.#settle(sent, isBusy, request.commitTimeoutMs);
    return {
      states: sent.states.map(({ name, byteCount, durationMs }) => ({ name, byteCount, durationMs })),
      failures: [
        ...failures.map(({ name, error }) => ({ name, error: toErrorReport(error) })),
        ...sent.problems,
      ],
      quiesceMs: quietAt - startedAt,
      stateMs: performance.now() - quietAt,
      inFlightCount,
    };
  }

  #settle({ wanted, states }: SentStates, isWritable: boolean, patienceMs: number): void {
    this.#patience = setTimeout(() => void this.#giveUp(), patienceMs);
    const checksums = new Map(states.map(({ name, sha256 }) => [name, sha256]));
    const passed = { wanted, checksums, isWritable };
    this.#passed = passed;
    if (isWritable) void this.#watchLateWrites(passed);
  }

  async #watchLateWrites(passed: Passed): Promise<void> {
    const { servers } = this.#options;
    const isOver = (): boolean => this.#passed !== passed || servers.counts().inFlightCount === 0;
    await waitUntil(isOver, { timeoutMs: LATE_WRITES_TIMEOUT_MS });
    if (this.#passed === passed) this.noteLost();
  }

  noteLost(): void {
    if (this.#passed?.isWritable !== true) return;
    const { wanted, checksums } = this.#passed;
    const lost: string[] = [];
    for (const { name, encode } of this.#options.states.encode(wanted)) {
      const before = checksums.get(name);
      if (before === undefined || before === tryChecksum(encode)) continue;
      lost.push(name);
      // Once is enough.
      checksums.delete(name);
    }
    if (lost.length > 0) this.#options.onLost(lost);
  }

  /** Nobody has said how it went on. */
  async #giveUp(): Promise<void> {
    if (this.#status === 'held')
      console.error(
        'Midflight: the states were passed on, and nothing has come of it; this process serves on',
      );
    await this.serveAlone();
  }

  async serveAlone(): Promise<void> {
    if (this.#status === 'leaving') return this.unhold();
    if (this.#status !== 'held') return;
    // The other one may serve after all.
    if (this.#passed !== null) this.#passed.isWritable = true;
    await this.#serve();
  }

  async resume(): Promise<void> {
    this.#passed = null;
    await this.#serve();
  }

  async #serve(): Promise<void> {
    const { servers } = this.#options;
    clearTimeout(this.#patience);
    this.#status = 'serving';
    silenceIntervals(false);
    servers.undrain();
    // In this turn: without it a pause that is under way would close what accepts.
    const resumed = servers.resumeAccepting();
    await servers.unhold();
    await resumed;
    this.#stopKeeping?.();
    this.#stopKeeping = undefined;
  }

  pause(): void {
    if (this.#status === 'held') this.#status = 'leaving';
  }

  async unhold(): Promise<void> {
    const { servers } = this.#options;
    clearTimeout(this.#patience);
    if (this.#status === 'leaving') this.#status = 'left';
    if (this.#passed !== null && servers.counts().openCount > 0) this.#passed.isWritable = true;
    await servers.unhold();
  }
}

function encodeAtOnce(encodings: Iterable<StateEncoding>): StateEncoding[] {
  return Array.from(encodings, ({ name, encode }) => {
    try {
      const encoded = encode();
      return { name, encode: () => encoded };
    } catch (error) {
      return {
        name,
        encode: () => {
          throw error;
        },
      };
    }
  });
}

/** Null where it can't be encoded any more, which is another content too. */
function tryChecksum(encode: () => EncodedState): string | null {
  try {
    return toChecksum(encode().bytes);
  } catch {
    return null;
  }
}
