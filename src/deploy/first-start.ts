/** How an app comes up: on its proved release, on what another supervisor has left, or on its first one. */

import type { Notebook } from '../supervisor/notebook.ts';
import type { RunnableRelease } from '../supervisor/process-host.ts';
import { buildCandidate } from './candidate.ts';
import { noteBegin } from './admission.ts';
import { toOwnActor } from './actor.ts';
import type { DeployParts } from './deploy-parts.ts';
import type { DeployCaller, DeployRequest } from './deploy-request.ts';
import { beginFlush } from './flush.ts';
import { beginRun, finishRun, toSourceText } from './deploy-run.ts';
import { noteProved } from './open-record.ts';
import { makePlan, toRejection } from './planning.ts';
import { removeLeftovers } from './sweep.ts';
import { readRelease } from './releases.ts';
import { runHookOf } from './run-hooks.ts';
import { recordProved, removeSurplus } from './settle.ts';

/** Starts the proved release, or makes one from the source where there is none. */
export async function bootstrap(
  parts: DeployParts,
  request: DeployRequest,
  caller: DeployCaller,
): Promise<void> {
  const { home, workers, history, atWork } = parts;
  const { end } = await atWork.take({ waitMs: 0 }, () => 'start');
  workers.scaleNext(history.scaledTo());
  workers.countFrom(history.generationCount());
  try {
    history.interrupt('The supervisor and its keeper ended while it was at work');
    await removeLeftovers(home);
    const known = history.proved() ?? history.current();
    const release = known === null ? null : await readKnown(parts, known);
    if (release === null) await startFirst(parts, request, caller);
    else await startAgain(parts, release, caller);
  } finally {
    end();
  }
}

/** Null where it can't be read any more, which nobody should have to find out by what serves instead. */
async function readKnown({ home, tell }: DeployParts, id: string): Promise<RunnableRelease | null> {
  return readRelease(home, id).catch((error: unknown) => {
    tell('start', `release ${id} can't be read, so one is made of the source: ${String(error)}`);
    return null;
  });
}

/** Goes on where another supervisor was killed. False where nothing serves, so that there is nothing to go on with. */
export async function resume(parts: DeployParts, notebook: Notebook): Promise<boolean> {
  const { home, workers, history, atWork, tell } = parts;
  const { end } = await atWork.take({ waitMs: 0 }, () => 'start');
  workers.scaleNext(history.scaledTo());
  try {
    await removeLeftovers(home);
    const dropped = await workers.recover(notebook, async (id) => recall(parts, id));
    const release = workers.currentRelease();
    const serving = release === null ? 'nothing serves' : `release ${release.manifest.id} serves`;
    history.interrupt(
      `The supervisor ended ${dropped === null ? 'while it was at work' : `when ${dropped}`}; ${serving}`,
    );
    if (dropped !== null) tell('recover', `when the supervisor ended, ${dropped}; ${serving}`);
    if (release !== null) {
      history.setCurrent(release.manifest.id);
      history.setProved(release.manifest.id);
      noteProved(home, release.manifest.id);
    }
    return release !== null;
  } finally {
    end();
  }
}

/** What serves goes on. Where it would not be let in any more, no worker loads it again: one that crashes does not come back. */
async function recall({ home, gate, audit, tell }: DeployParts, id: string): Promise<RunnableRelease | null> {
  const release = await readRelease(home, id).catch(() => null);
  if (release === null) return null;
  const actor = toOwnActor('supervisor');
  try {
    await gate.check(release.location, { actor, again: true, files: false });
    audit({ action: 'recover', actor, release: id, digest: release.location.digest ?? null, result: 'done' });
    return release;
  } catch (error) {
    tell('verify', `${String(error)}; what runs goes on, and nothing of it is loaded again`);
    return { ...release, location: { ...release.location, digest: 'refused' } };
  }
}

async function startAgain(
  { workers, history, gate, audit, tell }: DeployParts,
  release: RunnableRelease,
  { actor }: DeployCaller,
): Promise<void> {
  const { id } = release.manifest;
  gate.accept(await gate.check(release.location, { actor, again: true, files: true }));
  audit({ action: 'start', actor, release: id, digest: release.location.digest ?? null, result: 'begun' });
  tell('start', `release ${id}`);
  await workers.start(release);
  history.setCurrent(release.manifest.id);
}

async function startFirst(
  parts: DeployParts,
  request: DeployRequest,
  { actor, signer }: DeployCaller,
): Promise<void> {
  const what = `first release, of ${toSourceText(request)}`;
  const run = beginRun(parts, { what, action: 'start', actor });
  try {
    const candidate = await buildCandidate(parts, run, { request, signer });
    const settleFlush = beginFlush(parts);
    const plan = await makePlan(parts, run, { candidate, path: 'auto' });
    if (plan.path === 'rejected') throw toRejection(plan, candidate);
    await settleFlush(run);
    noteBegin(parts, run);
    parts.tell('start', `release ${candidate.release.manifest.id}`);
    await runHookOf(parts, run, { release: candidate.release, name: 'beforeApply' });
    const startedAt = performance.now();
    await parts.workers.start(candidate.release).finally(() => {
      run.timings['prepareMs'] = performance.now() - startedAt;
    });
    recordProved(parts, candidate.release);
    removeSurplus(parts);
    await runHookOf(parts, run, { release: candidate.release, name: 'afterCommit' });
    finishRun(parts, run, { result: 'committed', error: null });
  } catch (error) {
    finishRun(parts, run, { result: 'rejected', error });
    throw error;
  }
}
