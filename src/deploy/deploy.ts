/**
 * One deploy end to end: fetch → install → build → plan → apply → probation → record.
 * Owns the order of deploys of one app.
 *
 * Invariants:
 * 1. One deploy at a time changes anything; one in probation is superseded by the next.
 * 2. What is recorded as current is what serves. Until probation has passed, what comes up after a crash is the
 *    release before.
 * 3. Whatever fails, the workers serve the release that was current before, and the record says why.
 */

import { EventEmitter, once } from 'node:events';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { MidflightError, toFailure, type Failure } from '../errors.ts';
import { toErrorReport } from '../protocol/messages.ts';
import { toPlan, type Plan, type Policy } from '../plan/plan.ts';
import type { DeployPath, Reason } from '../plan/reason.ts';
import type { Manifest } from '../protocol/manifest.ts';
import { buildRelease, removeStaging } from '../release/build.ts';
import { toReleaseLocation, type Home } from '../release/home.ts';
import type { RunnableRelease } from '../supervisor/app-process.ts';
import type { Workers } from '../supervisor/workers.ts';
import type { DeployResult, History } from './history.ts';
import { pruneReleases, readRelease } from './releases.ts';

export interface DeployRequest {
  readonly ref: string;
  readonly isDirty: boolean;
  readonly path: Policy['path'];
  /** Answer at commit and leave probation to itself. */
  readonly detach: boolean;
}

export interface DeployReport {
  readonly release: string | null;
  readonly previous: string | null;
  readonly path: DeployPath;
  readonly result: DeployResult;
  readonly reasons: readonly Reason[];
  readonly generation: number;
  readonly workers: number;
  readonly timings: Readonly<Record<string, number>>;
  /** What failed, with the end of its output; null where nothing did. */
  readonly error: Failure | null;
}

export interface Progress {
  readonly step: string;
  readonly message: string;
}

export interface DeployerOptions {
  readonly home: Home;
  readonly workers: Workers;
  readonly history: History;
}

export interface Deployer {
  readonly events: EventEmitter<{ progress: [Progress] }>;
  /** What is under way; null when nothing is. */
  status(): { readonly stage: 'working' | 'probation'; readonly release: string | null } | null;
  /** Starts the proved release, or makes one from the source where there is none. */
  bootstrap(request: DeployRequest): Promise<void>;
  deploy(request: DeployRequest): Promise<DeployReport>;
  rollback(release: string | null): Promise<DeployReport>;
}

type Candidate = { readonly release: RunnableRelease; readonly problems: readonly MidflightError[] };

/** `superseded`: the next deploy came first; the release to go back to stays the last one that passed. */
type Verdict = 'passed' | 'superseded' | Error;

/** The run of one deploy: what is filled in as it goes. */
interface Run {
  readonly id: number;
  readonly previous: RunnableRelease | null;
  readonly timings: Record<string, number>;
  release: string | null;
  path: DeployPath;
  reasons: readonly Reason[];
}

/** Makes the deployer of one app. */
export function createDeployer({ home, workers, history }: DeployerOptions): Deployer {
  const events = new EventEmitter<{ progress: [Progress] }>();
  const superseded = new EventEmitter<{ superseded: [] }>();
  let stage: 'idle' | 'working' | 'probation' = 'idle';
  let underWay: Run | null = null;
  let probation: Promise<unknown> = Promise.resolve();

  const tell = (step: string, message: string): void => void events.emit('progress', { step, message });

  async function bootstrap(request: DeployRequest): Promise<void> {
    await removeStaging(home);
    const known = history.proved() ?? history.current();
    const release = known === null ? null : await readRelease(home, known).catch(() => null);
    if (release !== null) {
      tell('start', `release ${release.manifest.id}`);
      await workers.start(release);
      history.setCurrent(release.manifest.id);
      return;
    }
    const run = begin();
    try {
      const { release: made, problems } = await build(run, request);
      if (problems[0] !== undefined) throw problems[0];
      tell('start', `release ${made.manifest.id}`);
      await timed(run, 'prepareMs', () => workers.start(made));
      run.path = 'restart';
      settleCurrent(made);
      finish(run, 'committed', null);
    } catch (error) {
      finish(run, 'rejected', error);
      throw error;
    }
  }

  function begin(): Run {
    const previous = workers.currentRelease();
    const id = history.begin(previous?.manifest.id ?? null);
    return { id, previous, timings: {}, release: null, path: 'none', reasons: [] };
  }

  async function deploy(request: DeployRequest): Promise<DeployReport> {
    return exclusively(request.detach, async (run) => {
      const candidate = await build(run, request);
      return apply(run, candidate, request.path);
    });
  }

  async function rollback(id: string | null): Promise<DeployReport> {
    return exclusively(false, async (run) => {
      const current = run.previous?.manifest.id ?? '';
      const wanted = id ?? history.servedBefore(current);
      if (wanted === null) throw new MidflightError('ERR_MIDFLIGHT_RELEASE_UNKNOWN', ['before this one']);
      const release = await readRelease(home, wanted);
      run.release = wanted;
      return apply(run, { release, problems: [] }, 'auto');
    });
  }

  /** Takes the lock, supersedes a probation, and turns whatever is thrown into a rejection. */
  async function exclusively(
    detach: boolean,
    work: (run: Run) => Promise<DeployReport | null>,
  ): Promise<DeployReport> {
    if (stage === 'working')
      throw new MidflightError('ERR_MIDFLIGHT_DEPLOY_LOCKED', [underWay?.release ?? 'building']);
    stage = 'working';
    superseded.emit('superseded');
    await probation;
    stage = 'working';
    const run = begin();
    underWay = run;
    try {
      const ended = await work(run);
      if (ended !== null) return ended;
      stage = 'probation';
      const verdict = watch(run);
      probation = verdict.catch(() => null);
      if (!detach) return await verdict;
      verdict.catch(() => null);
      return toReport(run, 'committed', null);
    } catch (error) {
      tell('rejected', error instanceof Error ? error.message : String(error));
      return finish(run, 'rejected', error);
    } finally {
      if (stage === 'working') stage = 'idle';
    }
  }

  async function build(run: Run, request: DeployRequest): Promise<Candidate> {
    let startedAt = performance.now();
    let step: string | null = null;
    const close = (): void => {
      if (step !== null) run.timings[`${step}Ms`] = performance.now() - startedAt;
      startedAt = performance.now();
    };
    try {
      const { manifest, problems } = await buildRelease({
        home,
        ref: request.ref,
        isDirty: request.isDirty,
        onStep(next) {
          close();
          step = next;
          tell(next, next === 'fetch' ? (request.isDirty ? 'the working tree' : request.ref) : '');
        },
      });
      run.release = manifest.id;
      return { release: { manifest, location: toReleaseLocation(home, manifest.id) }, problems };
    } finally {
      close();
    }
  }

  /** Returns a report where the deploy has ended, null where probation is to follow. */
  async function apply(run: Run, candidate: Candidate, path: Policy['path']): Promise<DeployReport | null> {
    const { release, problems } = candidate;
    const plan = makePlan(run, candidate, path);
    run.path = plan.path;
    run.reasons = plan.reasons;
    tell('plan', `${plan.path}: ${plan.reasons.map(({ code, message }) => `${code} ${message}`).join('; ')}`);
    switch (plan.path) {
      case 'none':
        return finish(run, 'unchanged', null);
      case 'rejected':
        return finish(run, 'rejected', problems[0] ?? null);
      case 'swap':
        await swapOrHandoff(run, release);
        break;
      case 'handoff':
        await applyTimed(run, () => workers.handoff(release));
        break;
      case 'restart':
        await restartOrComeBack(run, release);
    }
    history.setCurrent(release.manifest.id);
    tell('commit', `generation ${workers.generation()} serves`);
    return null;
  }

  function makePlan(run: Run, { release, problems }: Candidate, path: Policy['path']): Plan {
    const startedAt = performance.now();
    const plan = toPlan({
      current: run.previous?.manifest ?? null,
      next: release.manifest,
      problems: problems.map(toErrorReport),
      policy: { path, swapFailedBefore: history.didSwapFail(toModulesHash(release.manifest)) },
    });
    run.timings['planMs'] = performance.now() - startedAt;
    return plan;
  }

  async function applyTimed(
    run: Run,
    act: () => Promise<{ prepareMs: number; commitMs: number }>,
  ): Promise<void> {
    const { prepareMs, commitMs } = await act();
    run.timings['prepareMs'] = (run.timings['prepareMs'] ?? 0) + prepareMs;
    run.timings['commitMs'] = commitMs;
  }

  async function swapOrHandoff(run: Run, release: RunnableRelease): Promise<void> {
    try {
      await applyTimed(run, () => workers.swap(release));
    } catch (error) {
      const [problem] = toErrorReport(error).message.split('\n');
      const message = `the swap failed (${problem}), so a new process is tried`;
      tell('prepare', message);
      run.path = 'handoff';
      run.reasons = [...run.reasons, { code: 'MF2005', path: 'handoff', message }];
      await applyTimed(run, () => workers.handoff(release));
      if (isOfCode(error)) history.noteSwapFailure(toModulesHash(release.manifest));
    }
  }

  async function restartOrComeBack(run: Run, release: RunnableRelease): Promise<void> {
    try {
      await applyTimed(run, () => workers.restart(release));
    } catch (error) {
      await workers.goBack();
      throw error;
    }
  }

  /** Probation: until its time is over, the next deploy comes, or something speaks against the release. */
  async function watch(run: Run): Promise<DeployReport> {
    const settings = workers.currentRelease()?.manifest.settings;
    const verdict = await watchFor(settings?.probationMs ?? 0, settings?.health?.intervalMs ?? null);
    try {
      if (verdict instanceof Error) return await revert(run, verdict);
      const release = workers.currentRelease();
      if (verdict === 'passed' && release !== null) {
        await workers.prove();
        settleCurrent(release);
      }
      tell(verdict, `release ${run.release ?? ''}`);
      return finish(run, 'committed', null);
    } finally {
      if (stage === 'probation') stage = 'idle';
    }
  }

  async function watchFor(probationMs: number, healthIntervalMs: number | null): Promise<Verdict> {
    const ended = new AbortController();
    const { signal } = ended;
    const passed = (): Verdict => 'passed';
    try {
      return await Promise.race([
        sleep(probationMs, null, { signal }).then(passed, passed),
        once(superseded, 'superseded', { signal }).then((): Verdict => 'superseded', passed),
        once(workers.events, 'fault', { signal }).then(([error]) => error as Error, passed),
        ...(healthIntervalMs === null ? [] : [checkUntil(signal, healthIntervalMs)]),
      ]);
    } finally {
      ended.abort();
    }
  }

  async function checkUntil(signal: AbortSignal, intervalMs: number): Promise<Verdict> {
    for (;;) {
      try {
        await sleep(intervalMs, null, { signal });
        await workers.checkHealth();
      } catch (error) {
        return signal.aborted ? 'passed' : (error as Error);
      }
    }
  }

  async function revert(run: Run, fault: Error): Promise<DeployReport> {
    tell('rollback', fault.message);
    await workers.goBack();
    const back = workers.currentRelease();
    if (back !== null) history.setCurrent(back.manifest.id);
    return finish(
      run,
      'rolled-back',
      new MidflightError('ERR_MIDFLIGHT_PROBATION_FAILED', [fault.message], { cause: fault }),
    );
  }

  function settleCurrent(release: RunnableRelease): void {
    const { id, settings } = release.manifest;
    history.setCurrent(id);
    history.setProved(id);
    const before = history.servedBefore(id);
    const needed = new Set([id, ...(before === null ? [] : [before])]);
    pruneReleases(home, settings.keep, needed).catch((error: unknown) => tell('prune', String(error)));
  }

  async function timed<Result>(run: Run, name: string, act: () => Promise<Result>): Promise<Result> {
    const startedAt = performance.now();
    try {
      return await act();
    } finally {
      run.timings[name] = performance.now() - startedAt;
    }
  }

  function finish(run: Run, result: DeployResult, error: unknown): DeployReport {
    underWay = null;
    if (result === 'rejected' && run.path === 'none') run.path = 'rejected';
    const report = toReport(run, result, error);
    const evidence = error === null ? null : toErrorReport(error).stack;
    history.end(run.id, { ...report, evidence });
    return report;
  }

  function toReport(run: Run, result: DeployResult, error: unknown): DeployReport {
    return {
      release: run.release,
      previous: run.previous?.manifest.id ?? null,
      path: run.path,
      result,
      reasons: run.reasons,
      generation: workers.generation(),
      workers: workers.currentRelease()?.manifest.workers ?? 0,
      timings: run.timings,
      error: error === null ? null : toFailure(error),
    };
  }

  return {
    events,
    status: () => (stage === 'idle' ? null : { stage, release: underWay?.release ?? null }),
    bootstrap,
    deploy,
    rollback,
  };
}

/** False where the process ended from outside, which says nothing of the code. */
function isOfCode(error: unknown): boolean {
  return !(error instanceof MidflightError && /_WORKER_(?:EXITED|UNREACHABLE)$/.test(error.code));
}

function toModulesHash(manifest: Manifest): string {
  const hashes = Object.values(manifest.modules).map(({ path, hash }) => `${path} ${hash}`);
  return createHash('sha256').update(hashes.toSorted().join('\n')).digest('hex');
}
