/** The release that a deploy is about to bring: fetched, installed, built, with the problems that speak against it. */

import type { MidflightError } from '../errors.ts';
import { buildRelease } from '../release/build.ts';
import { toReleaseLocation } from '../release/home.ts';
import type { RunnableRelease } from '../supervisor/process-host.ts';
import type { DeployParts } from './deploy-parts.ts';
import type { DeployRequest } from './deploy-request.ts';
import { toSourceText, type DeployRun } from './deploy-run.ts';

export interface Candidate {
  readonly release: RunnableRelease;
  /** The plan rejects a release that has any. */
  readonly problems: readonly MidflightError[];
}

/** Builds it, and notes how long each step took. Errors: of the step that failed. */
export async function buildCandidate(
  { home, tell }: DeployParts,
  run: DeployRun,
  request: DeployRequest,
): Promise<Candidate> {
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
