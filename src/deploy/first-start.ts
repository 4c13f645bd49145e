/** How an app comes up: on its proved release, on what another supervisor has left, or on its first one. */

import { MidflightError } from '../errors.ts';
import { removeStaging } from '../release/build.ts';
import type { Notebook } from '../supervisor/notebook.ts';
import type { RunnableRelease } from '../supervisor/process-host.ts';
import { buildCandidate } from './candidate.ts';
import type { DeployParts } from './deploy-parts.ts';
import type { DeployRequest } from './deploy-request.ts';
import { beginRun, finishRun, toSourceText } from './deploy-run.ts';
import { makePlan } from './planning.ts';
import { readRelease } from './releases.ts';
import { settle } from './settle.ts';

/** Starts the proved release, or makes one from the source where there is none. */
export async function bootstrap(parts: DeployParts, request: DeployRequest): Promise<void> {
  const { home, workers, history, atWork } = parts;
  const { end } = await atWork.take({ waitMs: 0 }, () => 'start');
  workers.scaleNext(history.scaledTo());
  try {
    history.interrupt('The supervisor and its keeper ended while it was at work');
    await removeStaging(home);
    const known = history.proved() ?? history.current();
    const release = known === null ? null : await readRelease(home, known).catch(() => null);
    if (release === null) await startFirst(parts, request);
    else await startAgain(parts, release);
  } finally {
    end();
  }
}

/** Goes on where another supervisor was killed. False where nothing serves, so that there is nothing to go on with. */
export async function resume(parts: DeployParts, notebook: Notebook): Promise<boolean> {
  const { home, workers, history, atWork, tell } = parts;
  const { end } = await atWork.take({ waitMs: 0 }, () => 'start');
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
    end();
  }
}

async function startAgain({ workers, history, tell }: DeployParts, release: RunnableRelease): Promise<void> {
  tell('start', `release ${release.manifest.id}`);
  await workers.start(release);
  history.setCurrent(release.manifest.id);
}

async function startFirst(parts: DeployParts, request: DeployRequest): Promise<void> {
  const run = beginRun(parts, `first release, of ${toSourceText(request)}`);
  try {
    const candidate = await buildCandidate(parts, run, request);
    const plan = makePlan(parts, run, { candidate, path: 'auto' });
    if (plan.path === 'rejected')
      throw candidate.problems[0] ?? new MidflightError('ERR_MIDFLIGHT_INTERNAL', ['rejected']);
    parts.tell('start', `release ${candidate.release.manifest.id}`);
    const startedAt = performance.now();
    await parts.workers.start(candidate.release).finally(() => {
      run.timings['prepareMs'] = performance.now() - startedAt;
    });
    settle(parts, candidate.release);
    finishRun(parts, run, { result: 'committed', error: null });
  } catch (error) {
    finishRun(parts, run, { result: 'rejected', error });
    throw error;
  }
}
