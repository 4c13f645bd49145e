/** The release that a deploy is about to bring: fetched, installed, built, with the problems that speak against it. */

import type { MidflightError } from '../errors.ts';
import { buildRelease, type BuildOptions, type BuiltRelease } from '../release/build.ts';
import { unpackBundle, type UnpackRequest } from '../release/unpack-bundle.ts';
import { takeBuildTurn } from '../release/store-turn.ts';
import type { RunnableRelease } from '../supervisor/process-host.ts';
import { admit, toRunnable, type Signer } from './admission.ts';
import type { DeployParts } from './deploy-parts.ts';
import type { DeployRequest } from './deploy-request.ts';
import { toSourceText, type DeployRun } from './deploy-run.ts';

export interface Candidate {
  readonly release: RunnableRelease;
  /** The plan rejects a release that has any. */
  readonly problems: readonly MidflightError[];
}

/** Builds it, has it signed and verified, and notes how long each step took. Errors: of the step that failed. */
export async function buildCandidate(
  parts: DeployParts,
  run: DeployRun,
  { request, signer }: { readonly request: DeployRequest; readonly signer: Signer | null },
): Promise<Candidate> {
  const { home, gate } = parts;
  const signers = signer?.ids ?? [];
  // A bundle may have its statement with it, and nothing of it is used before that was looked at.
  if (request.bundle === undefined) gate.expectSigner(signers, run.actor);
  const { manifest, problems } = await build(parts, run, {
    request,
    async beforeUse(location) {
      if (signers.length > 0) {
        gate.expectSigner(signers, run.actor);
        return 'unknown';
      }
      await gate.check(location, { actor: run.actor, again: false, files: false });
      return 'renews';
    },
  });
  const release = toRunnable(home, manifest);
  await admit(parts, run, { release, signer, action: 'deploy', again: false });
  return { release, problems };
}

interface Making {
  readonly request: DeployRequest;
  readonly beforeUse: NonNullable<UnpackRequest['beforeUse']>;
}

async function build(
  { home, workers, tell }: DeployParts,
  run: DeployRun,
  { request, beforeUse }: Making,
): Promise<BuiltRelease> {
  let startedAt = performance.now();
  let step: string | null = null;
  const close = (): void => {
    if (step !== null) run.timings[`${step}Ms`] = performance.now() - startedAt;
    startedAt = performance.now();
  };
  try {
    const { signal } = run.abort;
    // A sweep in between would not know yet that somebody wants the release, and what it shares.
    const work = async (): Promise<BuiltRelease> => {
      const built = await makeRelease(
        { request, beforeUse },
        {
          home,
          signal,
          before: workers.currentRelease()?.manifest ?? null,
          onStep(next) {
            signal.throwIfAborted();
            close();
            step = next;
            tell(next, next === 'fetch' ? toSourceText(request) : '');
          },
          onProgress: tell,
        },
      );
      signal.throwIfAborted();
      run.release = built.manifest.id;
      return built;
    };
    return await takeBuildTurn(home, work, signal);
  } finally {
    close();
  }
}

async function makeRelease(
  { request: { ref, isDirty, bundle }, beforeUse }: Making,
  options: Pick<BuildOptions, 'home' | 'signal' | 'before' | 'onStep' | 'onProgress'>,
): Promise<BuiltRelease> {
  if (bundle === undefined) return buildRelease({ ...options, ref, isDirty });
  return { manifest: await unpackBundle({ ...options, beforeUse, file: bundle }), problems: [] };
}
