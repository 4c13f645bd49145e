/**
 * One deploy end to end: candidate → plan → apply → probation → record; each step is a file of its own.
 * Owns the order of the steps.
 *
 * Invariants:
 * 1. One deploy at a time changes anything; one in probation is superseded by the next that is about to (`at-work.ts`).
 * 2. What is recorded as current is what serves. Until probation has passed, what comes up after a crash is the
 *    release before.
 * 3. Whatever fails, the workers serve the release that was current before, and the record says why.
 */

import { EventEmitter } from 'node:events';
import { MidflightError } from '../errors.ts';
import type { Home } from '../release/home.ts';
import type { Notebook } from '../supervisor/notebook.ts';
import type { Workers } from '../supervisor/workers.ts';
import type { Outgrown } from '../supervisor/workers-events.ts';
import { toOwnActor } from './actor.ts';
import { admit, noteBegin } from './admission.ts';
import { apply } from './apply.ts';
import type { Audit } from './audit.ts';
import { createAtWork, type Probation } from './at-work.ts';
import { buildCandidate } from './candidate.ts';
import { collectGarbage } from './collect-garbage.ts';
import type { DeployParts } from './deploy-parts.ts';
import type {
  DeployCaller,
  DeployReport,
  DeployRequest,
  DeployWish,
  Following,
  Progress,
} from './deploy-request.ts';
import {
  abortRun,
  beginRun,
  finishRun,
  toProgress,
  toReport,
  toSourceText,
  type DeployRun,
} from './deploy-run.ts';
import { bootstrap, resume } from './first-start.ts';
import { beginFlush } from './flush.ts';
import type { History } from './history.ts';
import { settlePlan, toRejection, type PlanWish } from './planning.ts';
import { startProbation } from './probation-run.ts';
import { createJudge } from './probation.ts';
import { rollBack } from './rollback.ts';
import type { SweepReport } from './sweep.ts';
import type { TrustGate } from './trust-gate.ts';

export interface DeployerOptions {
  readonly home: Home;
  readonly workers: Workers;
  readonly history: History;
  readonly gate: TrustGate;
  readonly audit: Audit;
}

export interface Deployer {
  readonly events: EventEmitter<{ progress: [Progress] }>;
  /** What is under way; null when nothing is. */
  status(): { readonly stage: 'working' | 'probation'; readonly release: string | null } | null;
  /** Starts the proved release, or makes one from the source where there is none. */
  bootstrap(request: DeployRequest, caller: DeployCaller): Promise<void>;
  /** Goes on where another supervisor was killed. False where nothing serves, so that there is nothing to go on with. */
  resume(notebook: Notebook): Promise<boolean>;
  deploy(request: DeployRequest, caller: DeployCaller): Promise<DeployReport>;
  /** Where keys are trusted, only to the release that proved itself last, or to one whose statement is newer than all before. */
  rollback(release: string | null, caller: DeployCaller): Promise<DeployReport>;
  /** The deploy that is at work, else the one in probation. Errors: ERR_MIDFLIGHT_DEPLOY_IDLE. */
  follow(): Following;
  /** Ends that deploy, or this one: before its commit nothing has changed, in probation the release before comes back.
   *  Errors: ERR_MIDFLIGHT_DEPLOY_IDLE where it has ended. */
  abort(run: number | null): void;
  /** No deploy begins until the returned function is called. Errors: ERR_MIDFLIGHT_DEPLOY_LOCKED, also in probation. */
  rest(): Promise<() => void>;
  /** Removes what nothing needs any more, or says what would go. */
  collect(options: { readonly isDryRun: boolean }): Promise<SweepReport>;
  /** Another count of workers, which lasts over deploys and starts; null for what the release says. Returns the count.
   *  Errors: ERR_MIDFLIGHT_DEPLOY_LOCKED, also in probation; ERR_MIDFLIGHT_SCALE_REFUSED. */
  scale(count: number | null): Promise<number>;
}

/** What a run has come to on its turn. `ended`: nothing of it is in probation. */
type Outcome = { readonly ended: DeployReport } | 'committed';

const kAtOnce = { detach: false, waitMs: 0, signer: null };

/** Makes the deployer of one app. */
export function createDeployer({ home, workers, history, gate, audit }: DeployerOptions): Deployer {
  const events = new EventEmitter<{ progress: [Progress] }>();
  const atWork = createAtWork();
  const tell: DeployParts['tell'] = (step, message, run) =>
    void events.emit('progress', toProgress(run ?? atWork.run(), step, message));
  const judge = createJudge(workers);
  const parts: DeployParts = { home, workers, history, atWork, gate, audit, tell };

  workers.events.on('outgrown', (reason, generation) => {
    relieve(reason, generation).catch((error: unknown) => tell('rejected', String(error)));
  });

  // An old process may say so before its successor is in probation, in it, or after that, when only the log can tell.
  workers.events.on('stateLost', (message, by) => {
    const runs = [atWork.run(), atWork.probation?.run];
    const run = by === null ? runs[0] : runs.find((each) => each?.generationBefore === by);
    if (run) run.reasons = [...run.reasons, { code: 'MF2013', path: 'handoff', message }];
    tell('state', message, run ?? undefined);
  });

  async function deploy(request: DeployRequest, caller: DeployCaller): Promise<DeployReport> {
    const what = `deploy of ${toSourceText(request)}`;
    const wish = { ...request, ...caller, what, action: 'deploy' } as const;
    return exclusively(wish, async (run) => {
      const candidate = await buildCandidate(parts, run, { request, signer: caller.signer });
      return planAndApply(run, { candidate, path: request.path, shownPlan: request.plan });
    });
  }

  async function rollback(id: string | null, caller: DeployCaller): Promise<DeployReport> {
    const wish = { ...kAtOnce, ...caller, what: 'rollback', action: 'rollback' } as const;
    return exclusively(wish, async (run) => {
      const candidate = await rollBack(parts, run, id);
      if (candidate === null) return { ended: finishRun(parts, run, { result: 'committed', error: null }) };
      const again = candidate.release.manifest.id === history.proved();
      const { release } = candidate;
      await admit(parts, run, { release, signer: caller.signer, action: 'rollback', again });
      return planAndApply(run, { candidate, path: 'auto', isGoingBack: true });
    });
  }

  async function planAndApply(run: DeployRun, wish: PlanWish): Promise<Outcome> {
    const { candidate } = wish;
    const settleFlush = beginFlush(parts);
    const plan = await settlePlan(parts, run, wish);
    const { path } = plan;
    if (path === 'none') return { ended: finishRun(parts, run, { result: 'unchanged', error: null }) };
    if (path === 'rejected') {
      const error = toRejection(plan, candidate);
      // One line is in the plan already.
      if (error.message.includes('\n')) tell('rejected', error.message);
      return { ended: finishRun(parts, run, { result: 'rejected', error }) };
    }
    await settleFlush(run);
    noteBegin(parts, run);
    await apply(parts, run, { release: candidate.release, path });
    return 'committed';
  }

  /** Retired generations pile up, or memory grows: fresh processes of the same release take over, unless a deploy is about to do something itself. */
  async function relieve(reason: Outgrown, generation: number): Promise<void> {
    // It is told as soon as a deploy has passed, which may be before that has come to its end.
    await atWork.probation?.ended.catch(() => null);
    const release = workers.currentRelease();
    const isOthers = atWork.isTaken() || atWork.probation !== null || workers.generation() !== generation;
    if (isOthers || release === null) return;
    const actor = toOwnActor('supervisor');
    const wish = { ...kAtOnce, actor, what: 'handoff of retired generations', action: 'handoff' } as const;
    await exclusively(wish, async (run) => {
      run.release = release.manifest.id;
      run.path = reason.path;
      run.reasons = [reason];
      tell('plan', `handoff: ${reason.code} ${reason.message}`);
      await apply(parts, run, { release, path: 'handoff' });
      return 'committed';
    });
  }

  /** Takes its turn, makes whatever is thrown a rejection, and leaves what was committed to its probation. */
  async function exclusively(
    { what, action, actor, detach, waitMs, signal, onWait, onBegin }: DeployWish,
    work: (run: DeployRun) => Promise<Outcome>,
  ): Promise<DeployReport> {
    workers.requireRunning();
    const turn = await atWork.take({ waitMs, signal, onWait }, () => {
      const begun = beginRun(parts, { what, action, actor });
      onBegin?.(begun.id);
      return begun;
    });
    const run = turn.work;
    let probation: Probation;
    try {
      const outcome = await work(run);
      if (outcome !== 'committed') return outcome.ended;
      probation = startProbation(parts, judge, run);
    } catch (thrown) {
      const aborted = run.abort.signal;
      const error: unknown = aborted.aborted ? aborted.reason : thrown;
      tell('rejected', error instanceof Error ? error.message : String(error), run);
      run.output = await workers.output();
      return finishRun(parts, run, { result: 'rejected', error });
    } finally {
      turn.end();
    }
    return detach ? toReport(run, workers, { result: 'committed', error: null }) : probation.ended;
  }

  function requireRun(id: number | null): DeployRun {
    const run = [atWork.run(), atWork.probation?.run].find((each) => each && (id === null || each.id === id));
    if (!run) throw new MidflightError('ERR_MIDFLIGHT_DEPLOY_IDLE', []);
    return run;
  }

  async function scale(count: number | null): Promise<number> {
    workers.requireRunning();
    atWork.requireNoProbation();
    const { end } = await atWork.take({ waitMs: 0 }, () => 'scale');
    try {
      const wanted = await workers.scale(count);
      history.setScaledTo(count);
      return wanted;
    } finally {
      end();
    }
  }

  return {
    events,
    status() {
      const { working, probation } = atWork;
      if (working !== null)
        return { stage: 'working', release: typeof working === 'string' ? null : working.release };
      return probation === null ? null : { stage: 'probation', release: probation.run.release };
    },
    bootstrap: async (request, caller) => bootstrap(parts, request, caller),
    resume: async (notebook) => resume(parts, notebook),
    async rest() {
      workers.requireRunning();
      return atWork.rest();
    },
    collect: async (options) => collectGarbage(parts, options),
    deploy,
    rollback,
    follow() {
      const { id, told, ended } = requireRun(null);
      return { run: id, told: [...told], ended: ended.promise };
    },
    abort: (id) => abortRun(requireRun(id)),
    scale,
  };
}
