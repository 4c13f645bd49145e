/** An app under a stepping supervisor, and what is done to it in one cell of the fault table. */

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { callControl } from '../../src/console/control-client.ts';
import { toHome } from '../../src/release/home.ts';
import { createTestApp, repository, waitForLog, type TestApp } from '../support/app.ts';
import { isAlive, killHolding, processesIn, programOf, stateOf } from './proc.ts';
import { scenarioOf, toIllConfig, type FaultPath, type Scenario } from './scenarios.ts';
import { startStrictClients, type FailedRequest } from './strict-clients.ts';

export type Victim = 'keeper' | 'supervisor' | 'old' | 'new';

export interface Cell {
  readonly step: string;
  readonly victim: Victim;
}

/** Longer than a worker that leaves may take. */
const SETTLE_TIMEOUT_MS = 60_000;

interface Answer {
  readonly version: string;
  readonly mark: string;
  readonly pid: number;
}

interface Report {
  readonly result: string;
  readonly path: string;
  readonly error: unknown;
}

interface Status {
  readonly release: string;
  readonly supervisor: { readonly pid: number };
  readonly keeper: { readonly pid: number };
  readonly workers: readonly { readonly pid: number; readonly state: string }[];
  readonly deploy: unknown;
}

export class FaultApp {
  readonly #app: TestApp;
  readonly #scenario: Scenario;
  #keeper: ChildProcess;
  #versionCount = 1;

  private constructor(app: TestApp, scenario: Scenario, keeper: ChildProcess) {
    this.#app = app;
    this.#scenario = scenario;
    this.#keeper = keeper;
  }

  static async start(faultPath: FaultPath): Promise<FaultApp> {
    const scenario = scenarioOf(faultPath);
    const app = await createTestApp({
      files: { ...scenario.files, ...scenario.version(1) },
      config: (port) => scenario.config(port),
      startFile: path.join(repository, 'test/fault/stepping/midflight.js'),
    });
    try {
      return new FaultApp(app, scenario, await app.start());
    } catch (error) {
      await app.dispose();
      throw error;
    }
  }

  async dispose(): Promise<void> {
    // A supervisor that has been stopped outlives its keeper.
    for (const pid of processesIn(this.#app.directory).keys())
      if (stateOf(pid) === 'T') process.kill(pid, 'SIGKILL');
    await this.#app.dispose();
  }

  log(): string {
    return this.#app.log();
  }

  /** A deploy in which nobody is killed: the steps that it takes, until the old processes have ended. */
  async steps(): Promise<readonly string[]> {
    const from = this.log().length;
    if (this.#scenario.from === 'rollback') {
      const { result } = await this.#deployIll(from);
      assert.equal(result, 'rolled-back');
      await this.#answers(`v${this.#versionCount - 1}`);
    } else await this.#deployWell();
    await this.#settle();
    // What comes after is none of them.
    const log = this.log().slice(from);
    if (this.#scenario.from === 'rollback') await this.#deployWell();
    const { hasNoStatus } = this.#scenario;
    const names = toSteps(log)
      .map(({ name }) => name)
      .filter((name) => hasNoStatus !== true || !name.endsWith(' status'));
    return [...new Set(names.slice(names.indexOf(`tell ${this.#scenario.from}`)))];
  }

  /** Deploys, kills, and holds what is left to what must be so whoever was killed. Resolves with which release serves then and
   *  what the history says of the deploy; `it has ended` where there was no such process to kill any more. */
  async kill(cell: Cell): Promise<string> {
    const app = this.#app;
    const before = await this.#status();
    const marks = await this.#marks();
    const versionBefore = this.#versionCount;
    const from = app.log().length;
    const clients = startStrictClients(app.origin);
    let held: ReadonlySet<number> | null;
    try {
      writeFileSync(path.join(app.directory, '.midflight/stop-at'), `${this.#scenario.from}\n${cell.step}`);
      const deploying = (this.#scenario.from === 'rollback' ? this.#deployIll(from) : this.#deploy()).catch(
        () => null,
      );
      await waitForLog(this.#keeper, () => app.log().slice(from), /^stopped at \d+ /m);
      // It says so before it does.
      await until(() => stateOf(before.supervisor.pid) === 'T', 'the supervisor stops');
      held = await this.#killAt(cell, before, from);
      await this.#goOn(cell, before, from, deploying);
      if (cell.victim === 'keeper') {
        if (!this.#scenario.hasGap) {
          const count = clients.answerCount();
          await until(() => clients.answerCount() > count + 50, 'what serves goes on without a keeper');
          await clients.stop();
          assertHeld(clients.failures, new Set());
        }
        await app.start().then((keeper) => (this.#keeper = keeper));
      }
      const outcome = await this.#outcome(versionBefore);
      if (this.#scenario.hasGap) {
        // What was open may have been cut, and states are lost, by design.
        await this.#deployWell();
        await this.#settle();
        return held === null ? 'it has ended' : outcome;
      }
      if (cell.victim === 'supervisor' || (cell.victim === 'new' && outcome.startsWith('old')))
        for (const mark of await this.#marks()) assert.ok(marks.has(mark), 'a state has been lost');
      await this.#deployWell();
      await clients.stop();
      assertHeld(clients.failures, held ?? new Set());
      await this.#settle();
      return held === null ? 'it has ended' : outcome;
    } finally {
      await clients.stop();
    }
  }

  /** The ports of clients whose connections went with it; null where there was no such process. */
  async #killAt({ victim }: Cell, before: Status, from: number): Promise<ReadonlySet<number> | null> {
    const { port } = this.#app;
    const pid = this.#find(victim, before, from);
    if (pid === null) return null;
    if (victim === 'keeper') {
      this.#keeper.kill('SIGKILL');
      await once(this.#keeper, 'exit');
      return new Set();
    }
    const held = await killHolding(pid, port);
    return victim === 'supervisor' ? new Set() : held;
  }

  /** The process that the step is about, else the first of its role. */
  #find(victim: Victim, before: Status, from: number): number | null {
    if (victim === 'keeper' || victim === 'supervisor') return before[victim].pid;
    const log = this.log().slice(from);
    const old = before.workers.map(({ pid }) => pid);
    const started = toSteps(log).flatMap(({ name, pid }) => (name === 'spawned new' ? [programOf(pid)] : []));
    const about = Number(/^stopped at (\d+) /m.exec(log)?.[1]);
    const alive = (victim === 'old' ? old : started).filter(isAlive);
    return alive.find((pid) => pid === about) ?? alive[0] ?? null;
  }

  async #goOn({ victim }: Cell, before: Status, from: number, deploying: Promise<unknown>): Promise<void> {
    const { pid } = before.supervisor;
    if (victim === 'supervisor') {
      await waitForLog(this.#keeper, () => this.log().slice(from), /midflight serving /);
      return void (await deploying);
    }
    process.kill(pid, 'SIGCONT');
    await deploying;
    if (victim === 'keeper')
      await until(() => !isAlive(pid), 'the supervisor of a keeper that was killed ends');
  }

  async #outcome(versionBefore: number): Promise<string> {
    const [{ result }] = (await this.#control('/history?limit=1')) as [{ result: string }];
    const { deploy } = await this.#status();
    assert.equal(deploy, null);
    const version = (await this.#answers())[0]?.version;
    assert.ok(version === `v${versionBefore}` || version === `v${versionBefore + 1}`);
    return `${version === `v${versionBefore}` ? 'old' : 'new'} ${result}`;
  }

  async #deployWell(): Promise<void> {
    const { result, path: taken, error } = await this.#deploy();
    assert.deepEqual([result, taken], ['committed', this.#scenario.path], JSON.stringify(error));
    await this.#answers(`v${this.#versionCount}`);
  }

  async #deploy(isIll = false): Promise<Report> {
    const { scenario, port } = { scenario: this.#scenario, port: this.#app.port };
    const config = isIll ? toIllConfig(scenario.config(port)) : scenario.config(port);
    this.#app.commit({
      ...scenario.version(++this.#versionCount),
      'midflight.config.json': JSON.stringify(config),
    });
    const body = { ref: 'HEAD', isDirty: false, path: scenario.path, detach: false };
    return (await this.#control('/deploy', body)) as Report;
  }

  /** It is well until it has been committed. */
  async #deployIll(from: number): Promise<Report> {
    const deploying = this.#deploy(true);
    await Promise.race([
      deploying,
      waitForLog(this.#keeper, () => this.log().slice(from), /^step 0 tell commit$/m),
    ]);
    await this.#app.get('/sicken');
    return deploying;
  }

  /** Of new connections: all of one version. */
  async #answers(version?: string): Promise<readonly Answer[]> {
    const answers: Answer[] = [];
    for (let count = 0; count < 6; count++) answers.push(JSON.parse(await this.#app.get()) as Answer);
    const expected = version ?? answers[0]?.version;
    for (const answer of answers) assert.equal(answer.version, expected);
    return answers;
  }

  async #marks(): Promise<ReadonlySet<string>> {
    const marks = new Set<string>();
    const pids = new Set<number>();
    // Which worker answers is for the kernel to say.
    while (pids.size < this.#scenario.workerCount)
      for (const { mark, pid } of await this.#answers()) {
        marks.add(mark);
        pids.add(pid);
      }
    return marks;
  }

  /** Resolves when nothing is left but one keeper, one supervisor and the workers that serve. */
  async #settle(): Promise<void> {
    const { directory } = this.#app;
    const isLeft = ([, command]: [number, string]): boolean => !/^(?:sh -c read|git|perl -e)\s/.test(command);
    await until(async () => {
      const { workers, supervisor, keeper } = await this.#status();
      const serving = workers.filter(({ state }) => state === 'serving').map(({ pid }) => pid);
      const known = new Set([keeper.pid, supervisor.pid, ...serving]);
      const left = [...processesIn(directory)].filter(isLeft).map(([pid]) => pid);
      return (
        serving.length === this.#scenario.workerCount &&
        known.size === left.length &&
        left.every((pid) => known.has(pid))
      );
    }, 'nobody is left but who serves');
    const names = readdirSync(path.join(directory, '.midflight'));
    assert.deepEqual(
      names.filter((name) => /^(?:state-|\d+\.sock)/.test(name)),
      [],
    );
  }

  async #status(): Promise<Status> {
    return (await this.#control('/status')) as Status;
  }

  async #control(pathname: string, body?: unknown): Promise<unknown> {
    const method = body === undefined ? 'GET' : 'POST';
    return callControl(toHome(this.#app.directory), { method, path: pathname, body });
  }
}

function toSteps(log: string): { readonly name: string; readonly pid: number }[] {
  return [...log.matchAll(/^step (\d+) (.+)$/gm)].map(([, pid, name = '']) => ({ name, pid: Number(pid) }));
}

/** Only what the killed process held may have failed. */
function assertHeld(failures: readonly FailedRequest[], held: ReadonlySet<number>): void {
  assert.deepEqual(
    failures.filter(({ port }) => !held.has(port)),
    [],
  );
}

async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + SETTLE_TIMEOUT_MS;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not so after ${SETTLE_TIMEOUT_MS} ms: ${what}`);
    await sleep(20);
  }
}
