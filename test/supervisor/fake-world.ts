/**
 * A world without processes: workers keep the agent's promises, take a random time for everything and die when they are told
 * to, or at random; a supervisor that is killed learns of nothing any more, and nothing that it asks for happens.
 */

import { MidflightError } from '../../src/errors.ts';
import type { Manifest } from '../../src/protocol/manifest.ts';
import type { WorkerRequest } from '../../src/protocol/messages.ts';
import { protocols } from '../../src/protocol/versions.ts';
import type { Notebook } from '../../src/supervisor/notebook.ts';
import type { ProcessExit, RunnableRelease } from '../../src/supervisor/process-host.ts';
import type { Worker } from '../../src/supervisor/worker.ts';
import type { WorkersEnv } from '../../src/supervisor/workers-env.ts';
import { toManifest } from '../plan/manifest-fixture.ts';

/** Longest time that a request takes, in turns of the microtask queue. */
const REQUEST_TURNS_MAX = 12;
/** How probable it is that a timer is due in one of these turns. */
const TIMER_RATE = 0.02;

export interface FakeRelease {
  readonly name: string;
  readonly workers: number;
  /** What of it does not work: its code can't be prepared, or takes the process along when it commits. */
  readonly defect: 'none' | 'prepare' | 'commit';
}

export interface FakeWorldOptions {
  readonly releases: readonly FakeRelease[];
  /** A number from 0 to below 1. */
  random(): number;
  /** How probable it is that a worker dies at a request. */
  readonly deathRate: number;
  /** Called after everything that happens to a worker. */
  onChange?(world: FakeWorld): void;
}

export interface FakeSupervisor {
  readonly env: WorkersEnv;
  kill(): void;
}

export interface FakeWorld {
  readonly log: readonly string[];
  /** Null before the first is written. */
  notebook(): Notebook | null;
  supervise(): FakeSupervisor;
  alive(): readonly FakeProcess[];
  /** From now on nothing dies by itself. */
  calm(): void;
  /** Lets time pass until nothing is waited for. */
  settle(): Promise<void>;
}

interface Timer {
  readonly atMs: number;
  readonly act: () => void;
}

export function toRelease({ name, workers }: FakeRelease): RunnableRelease {
  const manifest: Manifest = { ...toManifest({ 'server.ts': { code: name } }), id: name, workers };
  return { manifest, location: { id: name, root: `/${name}`, manifestFile: '', store: '' } };
}

/** A worker's process, with what the agent in it has promised. */
class FakeProcess {
  readonly id: number;
  /** Of what it has prepared last. */
  release: string;
  readonly exit = Promise.withResolvers<ProcessExit>();
  readonly #defectOf: (release: string) => FakeRelease['defect'];
  isAlive = true;
  current: number | null = null;
  preparing: number | null = null;
  proved: number | null = null;
  isAccepting = false;

  constructor(id: number, release: string, defectOf: (release: string) => FakeRelease['defect']) {
    this.id = id;
    this.release = release;
    this.#defectOf = defectOf;
  }

  die(): void {
    this.isAlive = false;
    this.exit.resolve({ code: null, signal: 'SIGKILL' });
  }

  answer(request: WorkerRequest): unknown {
    switch (request.type) {
      case 'prepare':
        if (this.#defectOf(request.options.release.id) === 'prepare') throw new Error('it does not load');
        this.preparing = request.options.generation;
        this.release = request.options.release.id;
        return { prepareMs: 0, reevaluated: [], listening: [] };
      case 'commit':
        return this.#commit(request.generation, request.probationMs > 0);
      case 'abort':
        if (this.preparing === request.generation) this.preparing = null;
        return null;
      case 'rollback':
        if (this.current !== request.generation || this.proved === this.current)
          throw new Error('there is nothing to go back to');
        this.current = this.proved;
        return null;
      case 'prove':
        this.proved = this.current;
        return { retainedCount: 0 };
      case 'pause':
        this.isAccepting = false;
        return null;
      case 'resume':
        this.isAccepting = this.current !== null;
        return null;
      case 'status':
        return { generation: this.current ?? 0, release: this.release };
      default:
        return null;
    }
  }

  #commit(generation: number, isProvisional: boolean): null {
    if (this.preparing !== generation) throw new Error('it is not prepared');
    if (this.#defectOf(this.release) === 'commit') this.die();
    this.current = generation;
    this.preparing = null;
    this.isAccepting = true;
    if (!isProvisional || this.proved === null) this.proved = generation;
    return null;
  }
}

export function createFakeWorld(options: FakeWorldOptions): FakeWorld {
  const { random, releases, deathRate, onChange } = options;
  const processes: FakeProcess[] = [];
  const log: string[] = [];
  let timers: Timer[] = [];
  let notebook: Notebook | null = null;
  let isCalm = false;
  let nowMs = 0;
  let pendingCount = 0;

  const defectOf = (release: string): FakeRelease['defect'] =>
    releases.find(({ name }) => name === release)?.defect ?? 'none';
  const alive = (): readonly FakeProcess[] => processes.filter(({ isAlive }) => isAlive);

  async function passTime(): Promise<void> {
    pendingCount++;
    for (let turn = Math.floor(random() * REQUEST_TURNS_MAX); turn > 0; turn--) {
      await Promise.resolve();
      if (random() < TIMER_RATE) ring();
    }
    pendingCount--;
  }

  /** Lets the time of the next timer come; false where there is none. */
  function ring(): boolean {
    const [due, ...later] = timers.toSorted((one, other) => one.atMs - other.atMs);
    if (due === undefined) return false;
    timers = later;
    nowMs = Math.max(nowMs, due.atMs);
    due.act();
    return true;
  }

  function maybeDie(process: FakeProcess): void {
    if (!isCalm && random() < deathRate) process.die();
  }

  async function ask(process: FakeProcess, request: WorkerRequest): Promise<unknown> {
    await passTime();
    maybeDie(process);
    const answered = process.isAlive ? process.answer(request) : null;
    await passTime();
    maybeDie(process);
    onChange?.(world);
    if (process.isAlive) return answered;
    throw new MidflightError('ERR_MIDFLIGHT_WORKER_UNREACHABLE', [request.type]);
  }

  function supervise(): FakeSupervisor {
    let isAlive = true;
    /** What reaches a supervisor only while it lives. */
    const deliver = async <Value>(value: Promise<Value>): Promise<Value> => {
      const result = await value.then(
        (done) => () => done,
        (error: unknown) => () => {
          throw error;
        },
      );
      return isAlive ? result() : new Promise<never>(() => undefined);
    };

    const toWorker = (process: FakeProcess): Worker => ({
      kind: 'node',
      id: process.id,
      pid: process.id,
      protocol: () => protocols.worker,
      exited: deliver(process.exit.promise),
      hasExited: () => !process.isAlive,
      isConnected: () => process.isAlive,
      output: async () => '',
      kill: () => void (isAlive && process.die()),
      async end() {
        await passTime();
        if (isAlive) process.die();
        onChange?.(world);
        return deliver(process.exit.promise);
      },
      send: () => undefined,
      request: async (request) => (isAlive ? deliver(ask(process, request)) : new Promise(() => undefined)),
    });

    const env: WorkersEnv = {
      async spawn({ release }) {
        await passTime();
        if (!isAlive) return new Promise<never>(() => undefined);
        const process = new FakeProcess(processes.length + 1, release.manifest.id, defectOf);
        processes.push(process);
        await passTime();
        return deliver(Promise.resolve(toWorker(process)));
      },
      route: () => undefined,
      inherited: () => alive().map(({ id }) => ({ process: id, pid: id, protocol: protocols.worker })),
      adopt({ note }) {
        const process = alive().find(({ id }) => id === note.process);
        return process === undefined ? null : toWorker(process);
      },
      note: (written) => void (isAlive && (notebook = structuredClone(written))),
      now: () => nowMs,
      date: () => nowMs,
      schedule(act, delayMs) {
        timers.push({ atMs: nowMs + delayMs, act: () => void (isAlive && act()) });
      },
      rssBytesOf: async () => null,
      stateSocketOf: String,
      log: (message) => void (isAlive && log.push(message)),
    };
    return { env, kill: () => void (isAlive = false) };
  }

  async function settle(): Promise<void> {
    for (let idleCount = 0; idleCount < 3;) {
      await new Promise((resolve) => setImmediate(resolve));
      idleCount = pendingCount > 0 || ring() ? 0 : idleCount + 1;
    }
  }

  const world: FakeWorld = {
    log,
    notebook: () => notebook,
    supervise,
    alive,
    calm: () => void (isCalm = true),
    settle,
  };
  return world;
}
