/**
 * What `midflight start` runs: the parent of the supervisor and of all that the supervisor has started. It holds what must
 * outlive a supervisor (listeners, processes and their channels, a notebook), and knows nothing of what any of it is for.
 *
 * Invariants:
 * 1. One supervisor at a time.
 * 2. What a supervisor has started ends with the keeper's own consent only: when it is asked to, or at the end.
 * 3. It ends when a supervisor says that all has stopped, or when the first one can't start; its exit code is theirs.
 *
 *   event                              | next
 *   the supervisor has stopped         | end, with its exit code
 *   the first ends before it is ready  | end, with its exit code; a signal is a crash as any other
 *   the supervisor crashes             | another: at once, then with back-off
 *   it steps down for another file     | that one; the file before, if it is not ready in time
 *   a signal                           | the supervisor is told; without one the next is, and is started now
 *
 * docs/design/keeper/design.md says why.
 */

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MidflightError } from '../errors.ts';
import type {
  Inventory,
  KeeperEvent,
  KeeperOrder,
  KeeperRequest,
  ProcessExit,
  UpgradeOutcome,
} from '../protocol/keeper-messages.ts';
import { negotiate, protocols } from '../protocol/versions.ts';
import { createBackOff } from './back-off.ts';
import { createHoldings, type Holdings } from './holdings.ts';
import { createLocalHost } from './local-host.ts';
import { acquireLock } from './lock.ts';
import { createOrphanFile, findOrphans, removeDeadSockets } from './orphans.ts';
import type { InheritedSocket } from './inherited-sockets.ts';
import { CUT_EXIT_CODE, describeExit, STOP_TIMEOUT_MS } from './process-host.ts';
import { startSupervisor, type SupervisorLink } from './supervisor-link.ts';
import { createInheritedListeners } from './inherited-listeners.ts';

/** A new Midflight whose supervisor has not settled by then is not trusted with the app. */
const UPGRADE_TIMEOUT_MS = 20_000;
/** A supervisor that steps down has nothing left to do. */
const STEP_DOWN_TIMEOUT_MS = 5_000;
/** A supervisor that is to cut, and does not end in this time, hangs. */
const CUT_TIMEOUT_MS = 1_000;
/** As a shell tells of a program that SIGABRT has ended. */
const ABORT_EXIT_CODE = 134;
/** So many supervisors may crash on a signal to stop, before the keeper ends all by itself. */
const STOP_CRASHES_MAX = 3;

export interface KeeperOptions {
  /** `.midflight/`. */
  readonly directory: string;
  readonly lockFile: string;
  readonly processFile: string;
  readonly logFile: string;
  /** Listeners that were passed in; opened once. */
  readonly sockets: () => readonly InheritedSocket[];
  /** What `start` runs; a newer Midflight may stand there later. */
  readonly binFile: string;
  /** The main file of a supervisor, and its arguments. */
  readonly supervisorFile: string;
  readonly args: readonly string[];
  log(message: string): void;
}

/** Runs until all has stopped; resolves with the exit code. Errors: ERR_MIDFLIGHT_ALREADY_RUNNING. */
export async function runKeeper(options: KeeperOptions): Promise<number> {
  const lock = acquireLock(options.lockFile);
  mkdirSync(path.dirname(options.logFile), { recursive: true });
  const keeper = new Keeper(options);
  for (const signal of ['SIGHUP', 'SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => keeper.pass(signal));
  process.on('SIGABRT', () => keeper.abort());
  try {
    return await keeper.run();
  } finally {
    lock.dispose();
  }
}

interface Session {
  readonly link: SupervisorLink;
  readonly startedAtMs: number;
  state: 'starting' | 'greeted' | 'ready' | 'stepping down' | 'stopped';
}

/** A change of the supervisor's file that is under way, or has failed and is to be told of. */
interface Upgrade {
  readonly token: string;
  readonly file: string;
  readonly fileBefore: string;
  failure: string | null;
}

interface Stop {
  crashes: number;
  /** Ctrl-C asked for it: another one means to cut. */
  readonly isByKey: boolean;
  isCut: boolean;
}

class Keeper {
  readonly #options: KeeperOptions;
  readonly #holdings: Holdings;
  readonly #listeners: ReturnType<typeof createInheritedListeners>;
  readonly #backOff = createBackOff({ isFirstAtOnce: true });
  #file: string;
  #session: Session | null = null;
  #upgrade: Upgrade | null = null;
  #notebook: unknown = null;
  #startCount = 0;
  #hasBeenReady = false;
  /** What came while nobody was there to be told. */
  #signals: NodeJS.Signals[] = [];
  #stop: Stop | null = null;
  #wake = new AbortController();

  constructor(options: KeeperOptions) {
    const { directory, processFile, logFile, log } = options;
    this.#options = options;
    this.#file = options.supervisorFile;
    const orphans = findOrphans(processFile);
    removeDeadSockets(directory);
    if (orphans.length > 0)
      log(
        `a keeper was killed here; what it had started (pid ${orphans.map(({ pid }) => pid).join(', ')}) serves until new processes are about to`,
      );
    this.#listeners = createInheritedListeners({ directory, orphans, sockets: options.sockets() });
    this.#holdings = createHoldings({
      host: createLocalHost({ listeners: this.#listeners, sinks: [process.stdout], logFile }),
      orphanFile: createOrphanFile(processFile, orphans),
      tell: (event) => {
        if (event.type === 'exited') removeDeadSockets(directory);
        return this.#tell(event);
      },
      log,
    });
  }

  async run(): Promise<number> {
    for (;;) {
      const session = this.#start();
      const exit = await session.link.ended;
      this.#session = null;
      const code = this.#toExitCode(session, exit);
      if (code !== null) return this.#end(code);
      await this.#waitBeforeNext(session, exit);
    }
  }

  /** To the supervisor that is there, or to the next. */
  pass(signal: NodeJS.Signals): void {
    if (signal === 'SIGINT' && this.#stop?.isByKey === true) this.#cut();
    if (signal !== 'SIGHUP') this.#stop ??= { crashes: 0, isByKey: signal === 'SIGINT', isCut: false };
    if (this.#tell({ type: 'signal', signal })) return;
    this.#signals.push(signal);
    this.#wake.abort();
  }

  /** By systemd, whose watchdog has missed the supervisor. That goes, too; what serves is left for the next keeper. */
  abort(): never {
    this.#session?.link.kill();
    process.exit(ABORT_EXIT_CODE);
  }

  /** The supervisor does it, unless it hangs. */
  #cut(): void {
    if (this.#stop === null || this.#stop.isCut) return;
    this.#stop.isCut = true;
    setTimeout(() => this.#session?.link.kill(), CUT_TIMEOUT_MS).unref();
  }

  /** False where no supervisor is there that knows what it is told of. */
  #tell(event: KeeperEvent): boolean {
    const session = this.#session;
    if (session === null || session.state === 'starting' || session.state === 'stepping down') return false;
    session.link.tell(event);
    return true;
  }

  #start(): Session {
    const { args } = this.#options;
    this.#startCount++;
    const link = startSupervisor({
      file: this.#file,
      args,
      onRequest: async (request) => this.#onRequest(session, request),
      onOrder: (order) => this.#onOrder(session, order),
    });
    const session: Session = { link, startedAtMs: performance.now(), state: 'starting' };
    this.#session = session;
    if (this.#upgrade?.file === this.#file && this.#upgrade.failure === null) this.#judgeLater(session);
    return session;
  }

  #judgeLater(session: Session): void {
    const timer = setTimeout(() => {
      if (session.state === 'ready' || this.#upgrade === null) return;
      this.#upgrade.failure = `it was not ready after ${UPGRADE_TIMEOUT_MS} ms`;
      session.link.kill();
    }, UPGRADE_TIMEOUT_MS);
    void session.link.ended.then(() => clearTimeout(timer));
  }

  async #onRequest(session: Session, request: KeeperRequest): Promise<unknown> {
    switch (request.type) {
      case 'hello':
        negotiate('keeper', 'The supervisor', request.protocol);
        session.state = 'greeted';
        queueMicrotask(() => this.#signals.splice(0).forEach((signal) => this.pass(signal)));
        return this.#toInventory();
      case 'ready':
        return this.#onReady(session);
      case 'replace':
        return this.#onReplace(session, request);
      case 'spawn':
      case 'output':
      case 'listeners':
        return this.#holdings.request(request);
    }
  }

  #toInventory(): Inventory {
    return {
      keeper: { pid: process.pid, protocol: protocols.keeper },
      restarts: this.#startCount - 1,
      processes: this.#holdings.records(),
      notebook: this.#notebook,
      binFile: this.#options.binFile,
    };
  }

  /** What serves now needs none of those that a keeper before has left. */
  #onReady(session: Session): UpgradeOutcome | null {
    session.state = 'ready';
    void this.#listeners.dismiss();
    if (!this.#hasBeenReady) this.#logUnused();
    this.#hasBeenReady = true;
    const upgrade = this.#upgrade;
    this.#upgrade = null;
    return upgrade === null ? null : { token: upgrade.token, failure: upgrade.failure };
  }

  #logUnused(): void {
    for (const { address, isUsed } of this.#listeners.reports())
      if (!isUsed) this.#options.log(`${address} was passed in and is held, but no worker listens on it`);
  }

  #onReplace(session: Session, { file, token }: KeeperRequest & { readonly type: 'replace' }): null {
    if (this.#stop !== null) throw new MidflightError('ERR_MIDFLIGHT_INVALID_STATE', ['It is about to stop']);
    this.#upgrade = { token, file, fileBefore: this.#file, failure: null };
    session.state = 'stepping down';
    setTimeout(() => session.link.kill(), STEP_DOWN_TIMEOUT_MS).unref();
    return null;
  }

  #onOrder(session: Session, order: KeeperOrder): void {
    switch (order.type) {
      case 'note':
        this.#notebook = order.notebook;
        return;
      case 'stopped':
        session.state = 'stopped';
        return;
      case 'send':
      case 'kill':
      case 'end':
      case 'route':
        this.#holdings.order(order);
    }
  }

  /** Null where another supervisor is to follow. */
  #toExitCode({ state }: Session, exit: ProcessExit): number | null {
    if (state === 'stopped') return exit.code ?? 1;
    if (this.#stop?.isCut === true) return CUT_EXIT_CODE;
    if (!this.#hasBeenReady && exit.signal === null) return exit.code === 0 ? 1 : (exit.code ?? 1);
    if (this.#stop !== null && ++this.#stop.crashes >= STOP_CRASHES_MAX) return 1;
    return null;
  }

  async #waitBeforeNext({ link, state, startedAtMs }: Session, exit: ProcessExit): Promise<void> {
    const upgrade = this.#upgrade;
    if (upgrade !== null) {
      if (state !== 'stepping down')
        upgrade.failure ??= `it ended (${describeExit(exit)}) before it was ready`;
      this.#file = upgrade.failure === null ? upgrade.file : upgrade.fileBefore;
      const failure = upgrade.failure === null ? '' : `: ${upgrade.failure}`;
      this.#options.log(`supervisor ${link.pid} has ended${failure}; the next is ${this.#file}`);
      return;
    }
    const delayMs = this.#stop === null ? this.#backOff.nextDelayMs(performance.now() - startedAtMs) : 0;
    this.#options.log(
      `supervisor ${link.pid} ended unasked (${describeExit(exit)}); what it started serves on; a new one starts in ${delayMs} ms`,
    );
    this.#wake = new AbortController();
    if (this.#signals.length === 0)
      await sleep(delayMs, null, { signal: this.#wake.signal }).catch(() => null);
  }

  async #end(code: number): Promise<number> {
    await this.#holdings.endAll(this.#stop?.isCut === true ? 0 : STOP_TIMEOUT_MS);
    this.#listeners.close();
    return code;
  }
}
