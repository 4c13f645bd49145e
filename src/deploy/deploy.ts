/**
 * One deploy end to end: fetch → install → build → plan → apply → probation → record.
 * Owns the order of deploys of one app.
 *
 * Invariants:
 * 1. One deploy at a time changes anything; one in probation is superseded by the next that is about to.
 * 2. What is recorded as current is what serves. Until probation has passed, what comes up after a crash is the
 *    release before.
 * 3. Whatever fails, the workers serve the release that was current before, and the record says why.
 */

import { EventEmitter } from 'node:events';
import { MidflightError } from '../errors.ts';
import { toErrorReport } from '../protocol/messages.ts';
import { toPlan, type Plan, type Policy } from '../plan/plan.ts';
import { toModuleVersion } from '../protocol/manifest.ts';
import { buildRelease, removeStaging } from '../release/build.ts';
import { toReleaseIdOfRoot, toReleaseLocation, type Home } from '../release/home.ts';
import type { Notebook } from '../supervisor/notebook.ts';
import type { RunnableRelease } from '../supervisor/process-host.ts';
import type { Outgrown, Timings, Workers } from '../supervisor/workers.ts';
import type { DeployCaller, DeployReport, DeployRequest, DeployWish, Progress } from './deploy-request.ts';
import { describeWork, toReport, toSourceText, type DeployRun } from './deploy-run.ts';
import type { DeployResult, History } from './history.ts';
import { createJudge, type Intervention } from './probation.ts';
import { pruneReleases, readRelease } from './releases.ts';
import { createTurns } from './turns.ts';

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
  /** Goes on where another supervisor was killed. False where nothing serves, so that there is nothing to go on with. */
  resume(notebook: Notebook): Promise<boolean>;
  deploy(request: DeployRequest, caller?: DeployCaller): Promise<DeployReport>;
  rollback(release: string | null): Promise<DeployReport>;
  /** No deploy begins until the returned function is called. Errors: ERR_MIDFLIGHT_DEPLOY_LOCKED, also in probation. */
  rest(): Promise<() => void>;
  /** Another count of workers, which lasts over deploys and starts; null for what the release says. Returns the count.
   *  Errors: ERR_MIDFLIGHT_DEPLOY_LOCKED, also in probation; ERR_MIDFLIGHT_SCALE_REFUSED. */
  scale(count: number | null): Promise<number>;
}

type Candidate = { readonly release: RunnableRelease; readonly problems: readonly MidflightError[] };

const kAtOnce = { detach: false, waitMs: 0 };

/** The release that has been committed last, until it has passed. */
interface Probation {
  readonly run: DeployRun;
  end(intervention: Intervention): void;
  readonly ended: Promise<DeployReport>;
}

/** Makes the deployer of one app. */
export function createDeployer({ home, workers, history }: DeployerOptions): Deployer {
  const events = new EventEmitter<{ progress: [Progress] }>();
  const judge = createJudge(workers);
  const turns = createTurns(() => describeWork(working));
  let working: DeployRun | 'start' | 'scale' | null = null;
  let probation: Probation | null = null;

  workers.events.on('outgrown', (reason, generation) => {
    relieve(reason, generation).catch((error: unknown) => tell('rejected', String(error)));
  });

  // An old process says so while its successor is in probation, or after that, when only the log can tell.
  workers.events.on('stateLost', (message) => {
    const run = probation?.run;
    if (run !== undefined) run.reasons = [...run.reasons, { code: 'MF2013', path: 'handoff', message }];
    tell('state', message);
  });

  const tell = (step: string, message: string): void => void events.emit('progress', { step, message });

  async function bootstrap(request: DeployRequest): Promise<void> {
    const giveBack = await turns.take({ waitMs: 0 });
    working = 'start';
    workers.scaleNext(history.scaledTo());
    try {
      history.interrupt('The supervisor and its keeper ended while it was at work');
      await removeStaging(home);
      const known = history.proved() ?? history.current();
      const release = known === null ? null : await readRelease(home, known).catch(() => null);
      if (release === null) await startFirst(request);
      else await startAgain(release);
    } finally {
      working = null;
      giveBack();
    }
  }

  async function resume(notebook: Notebook): Promise<boolean> {
    const giveBack = await turns.take({ waitMs: 0 });
    working = 'start';
    workers.scaleNext(history.scaledTo());
    try {
      await removeStaging(home);
      const dropped = await workers.recover(notebook, async (id) => readRelease(home, id).catch(() => null));
      const release = workers.currentRelease();
      const serving = release === null ? 'nothing serves' : `release ${release.manifest.id} serves`;
      history.interrupt(
        `The supervisor ended ${dropped === null ? 'while it was at work' : `when ${dropped}`}; ${serving}`,
      );
      if (dropped !== null) tell('recover', `when the supervisor ended, ${dropped}; ${serving}`);
      if (release !== null) {
        history.setCurrent(release.manifest.id);
        history.setProved(release.manifest.id);
      }
      return release !== null;
    } finally {
      working = null;
      giveBack();
    }
  }

  async function startAgain(release: RunnableRelease): Promise<void> {
    tell('start', `release ${release.manifest.id}`);
    await workers.start(release);
    history.setCurrent(release.manifest.id);
  }

  async function startFirst(request: DeployRequest): Promise<void> {
    const run = begin(`first release, of ${toSourceText(request)}`);
    try {
      const candidate = await build(run, request);
      const plan = makePlan(run, candidate, 'auto');
      if (plan.path === 'rejected')
        throw candidate.problems[0] ?? new MidflightError('ERR_MIDFLIGHT_INTERNAL', ['rejected']);
      tell('start', `release ${candidate.release.manifest.id}`);
      await timed(run, 'prepareMs', () => workers.start(candidate.release));
      settleCurrent(candidate.release);
      finish(run, 'committed', null);
    } catch (error) {
      finish(run, 'rejected', error);
      throw error;
    }
  }

  function begin(what: string): DeployRun {
    const previous = workers.currentRelease();
    const id = history.begin(previous?.manifest.id ?? null);
    return {
      id,
      what,
      startedAt: performance.now(),
      previous,
      timings: {},
      release: null,
      path: 'none',
      reasons: [],
      wentBack: null,
    };
  }

  async function deploy(request: DeployRequest, caller?: DeployCaller): Promise<DeployReport> {
    const wish = { ...request, ...caller, what: `deploy of ${toSourceText(request)}` };
    return exclusively(wish, async (run) => {
      const candidate = await build(run, request);
      return apply(run, candidate, request.path);
    });
  }

  /** Retired generations pile up, or memory grows: fresh processes of the same release take over, unless a deploy is about to do something itself. */
  async function relieve(reason: Outgrown, generation: number): Promise<void> {
    // It is told as soon as a deploy has passed, which may be before that has come to its end.
    await probation?.ended.catch(() => null);
    const release = workers.currentRelease();
    if (turns.isTaken() || probation !== null || release === null || workers.generation() !== generation)
      return;
    await exclusively({ ...kAtOnce, what: 'handoff of retired generations' }, async (run) => {
      run.release = release.manifest.id;
      run.path = reason.path;
      run.reasons = [reason];
      tell('plan', `handoff: ${reason.code} ${reason.message}`);
      await applyTimed(run, () => workers.handoff(release));
      tell('commit', `generation ${workers.generation()} serves`);
      return null;
    });
  }

  async function scale(count: number | null): Promise<number> {
    workers.requireRunning();
    if (probation !== null)
      throw new MidflightError('ERR_MIDFLIGHT_DEPLOY_LOCKED', [describeWork(probation.run), '']);
    const giveBack = await turns.take({ waitMs: 0 });
    working = 'scale';
    try {
      const wanted = await workers.scale(count);
      history.setScaledTo(count);
      return wanted;
    } finally {
      working = null;
      giveBack();
    }
  }

  async function rest(): Promise<() => void> {
    workers.requireRunning();
    if (probation !== null)
      throw new MidflightError('ERR_MIDFLIGHT_DEPLOY_LOCKED', [describeWork(probation.run), '']);
    return turns.take({ waitMs: 0 });
  }

  async function rollback(id: string | null): Promise<DeployReport> {
    return exclusively({ ...kAtOnce, what: 'rollback' }, async (run) => {
      const current = run.previous?.manifest.id ?? '';
      const warm = workers.warmRelease()?.manifest.id ?? current;
      const wanted = id ?? (warm === current ? history.servedBefore(current) : warm);
      if (wanted === null) throw new MidflightError('ERR_MIDFLIGHT_RELEASE_UNKNOWN', ['before this one']);
      run.release = wanted;
      if (wanted === warm && warm !== current && (await withdraw(run))) return finish(run, 'committed', null);
      const release = await readRelease(home, wanted);
      return apply(run, { release, problems: [] }, 'auto');
    });
  }

  /** Ends the probation that is under way, for the release before, which is still warm. False where it had ended by itself before that. */
  async function withdraw(run: DeployRun): Promise<boolean> {
    if (probation === null) return false;
    const { run: withdrawn, ended, end } = probation;
    end('withdrawn');
    const { error } = await ended;
    if (withdrawn.wentBack === null || error?.code !== 'ERR_MIDFLIGHT_DEPLOY_WITHDRAWN') return false;
    const { path, commitMs } = withdrawn.wentBack;
    run.path = path;
    run.timings['commitMs'] = commitMs;
    tell('commit', `generation ${workers.generation()} serves`);
    return true;
  }

  /** Takes its turn, makes whatever is thrown a rejection, and leaves what was committed to its probation. */
  async function exclusively(
    { what, detach, waitMs, signal, onWait, onBegin }: DeployWish,
    work: (run: DeployRun) => Promise<DeployReport | null>,
  ): Promise<DeployReport> {
    workers.requireRunning();
    const giveBack = await turns.take({ waitMs, signal, onWait });
    onBegin?.();
    const run = begin(what);
    working = run;
    try {
      const ended = await work(run);
      if (ended !== null) return ended;
      probation = startProbation(run);
    } catch (error) {
      tell('rejected', error instanceof Error ? error.message : String(error));
      return finish(run, 'rejected', error);
    } finally {
      working = null;
      giveBack();
    }
    return detach ? toReport(run, workers, { result: 'committed', error: null }) : probation.ended;
  }

  async function build(run: DeployRun, request: DeployRequest): Promise<Candidate> {
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
          tell(next, next === 'fetch' ? toSourceText(request) : '');
        },
      });
      run.release = manifest.id;
      return { release: { manifest, location: toReleaseLocation(home, manifest.id) }, problems };
    } finally {
      close();
    }
  }

  /** Returns a report where the deploy has ended, null where probation is to follow. */
  async function apply(
    run: DeployRun,
    candidate: Candidate,
    path: Policy['path'],
  ): Promise<DeployReport | null> {
    const { release, problems } = candidate;
    const plan = await settlePlan(run, candidate, path);
    history.note(run.id, run);
    if (!['none', 'rejected'].includes(plan.path)) workers.requireRunning();
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

  /** The plan against what runs once no probation does. One that changes nothing lets a probation go on. */
  async function settlePlan(run: DeployRun, candidate: Candidate, path: Policy['path']): Promise<Plan> {
    for (;;) {
      const current = workers.currentRelease();
      const plan = makePlan(run, candidate, path);
      const changesNothing = plan.path === 'none' || plan.path === 'rejected';
      if (!changesNothing) {
        probation?.end('superseded');
        await probation?.ended.catch(() => null);
      }
      if (!changesNothing && workers.currentRelease() !== current) continue;
      const reasons = plan.reasons.map(({ code, message }) => `${code} ${message}`);
      tell('plan', `${plan.path}: ${reasons.join('; ')}`);
      return plan;
    }
  }

  function makePlan(run: DeployRun, { release, problems }: Candidate, path: Policy['path']): Plan {
    const startedAt = performance.now();
    run.previous = workers.currentRelease();
    const plan = toPlan({
      current: run.previous?.manifest ?? null,
      next: release.manifest,
      problems: problems.map(toErrorReport),
      policy: { path, unswappable: history.unswappable() },
    });
    run.path = plan.path;
    run.reasons = plan.reasons;
    run.timings['planMs'] = performance.now() - startedAt;
    return plan;
  }

  async function applyTimed(run: DeployRun, act: () => Promise<Timings>): Promise<void> {
    const { prepareMs, ...others } = await act();
    run.timings['prepareMs'] = (run.timings['prepareMs'] ?? 0) + prepareMs;
    Object.assign(run.timings, others);
  }

  async function swapOrHandoff(run: DeployRun, release: RunnableRelease): Promise<void> {
    try {
      await applyTimed(run, () => workers.swap(release));
    } catch (error) {
      if (isAboutState(error)) throw error;
      const [problem] = toErrorReport(error).message.split('\n');
      const message = `the swap failed (${problem}), so a new process is tried`;
      tell('prepare', message);
      run.path = 'handoff';
      run.reasons = [...run.reasons, { code: 'MF2005', path: 'handoff', message }];
      await applyTimed(run, () => workers.handoff(release));
      const stuck = release.manifest.modules.get(failedModule(error) ?? '');
      if (stuck !== undefined) history.noteUnswappable(toModuleVersion(stuck));
    }
  }

  async function restartOrComeBack(run: DeployRun, release: RunnableRelease): Promise<void> {
    try {
      await applyTimed(run, () => workers.restart(release));
    } catch (error) {
      await workers.goBack();
      throw error;
    }
  }

  /** Begins at once: nothing may happen between commit and probation that nobody sees. */
  function startProbation(run: DeployRun): Probation {
    const intervention = new AbortController();
    const ended = watch(run, intervention.signal);
    const started = { run, ended, end: (reason: Intervention) => intervention.abort(reason) };
    const end = (): void => {
      if (probation === started) probation = null;
    };
    ended.then(end, end);
    return started;
  }

  async function watch(run: DeployRun, intervention: AbortSignal): Promise<DeployReport> {
    const release = workers.currentRelease();
    const { probationMs = 0, health = null } = release?.manifest.settings ?? {};
    const healthIntervalMs = health?.intervalMs ?? null;
    const generation = workers.generation();
    const verdict = await judge.watch({ generation, probationMs, healthIntervalMs, intervention });
    if (verdict instanceof Error)
      return revert(
        run,
        new MidflightError('ERR_MIDFLIGHT_PROBATION_FAILED', [verdict.message], { cause: verdict }),
      );
    if (verdict === 'withdrawn') {
      const back = workers.warmRelease()?.manifest.id ?? '';
      return revert(run, new MidflightError('ERR_MIDFLIGHT_DEPLOY_WITHDRAWN', [back]));
    }
    if (verdict === 'passed' && release !== null) {
      await workers.prove();
      settleCurrent(release);
    }
    tell(verdict, `release ${run.release ?? ''}`);
    return finish(run, 'committed', null);
  }

  async function revert(run: DeployRun, why: MidflightError): Promise<DeployReport> {
    tell('rollback', why.message);
    run.wentBack = await workers.goBack();
    const back = workers.currentRelease();
    if (back !== null) history.setCurrent(back.manifest.id);
    return finish(run, 'rolled-back', why);
  }

  function settleCurrent(release: RunnableRelease): void {
    const { id, settings } = release.manifest;
    history.setCurrent(id);
    history.setProved(id);
    prune(id, settings.keep).catch((error: unknown) => tell('prune', String(error)));
  }

  /** Keeps what some worker's code may still read from: a shared module stays in the release that it was first part of. */
  async function prune(id: string, keep: number): Promise<void> {
    const before = history.servedBefore(id);
    const reports = await workers.status();
    if (reports.some(({ status }) => status === 'silent')) return;
    const inUse = reports.flatMap(({ roots = [] }) => roots.map((root) => toReleaseIdOfRoot(root)));
    await pruneReleases(home, keep, new Set([id, ...(before === null ? [] : [before]), ...inUse]));
  }

  async function timed<Result>(run: DeployRun, name: string, act: () => Promise<Result>): Promise<Result> {
    const startedAt = performance.now();
    try {
      return await act();
    } finally {
      run.timings[name] = performance.now() - startedAt;
    }
  }

  function finish(run: DeployRun, result: DeployResult, error: unknown): DeployReport {
    if (result === 'rejected' && run.path === 'none') run.path = 'rejected';
    const report = toReport(run, workers, { result, error });
    const evidence = error === null ? null : toErrorReport(error).stack;
    history.end(run.id, { ...report, evidence });
    return report;
  }

  return {
    events,
    status() {
      if (working !== null)
        return { stage: 'working', release: typeof working === 'string' ? null : working.release };
      return probation === null ? null : { stage: 'probation', release: probation.run.release };
    },
    bootstrap,
    resume,
    rest,
    deploy,
    rollback,
    scale,
  };
}

/** A handoff would fail on the same, after clients have waited for it. */
function isAboutState(error: unknown): boolean {
  return error instanceof MidflightError && error.code.startsWith('ERR_MIDFLIGHT_STATE_');
}

/** The module that could not be evaluated; null where it was not that. */
function failedModule(error: unknown): string | null {
  if (!(error instanceof MidflightError) || error.code !== 'ERR_MIDFLIGHT_EVALUATION_FAILED') return null;
  return error.details[1] ?? null;
}
