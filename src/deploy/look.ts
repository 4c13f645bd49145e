/** A look at a run in probation: how its release serves, compared with the one before. */

import type { DeployParts } from './deploy-parts.ts';
import type { DeployRun } from './deploy-run.ts';
import { compareSamples, type Comparison, type ComparisonVerdict } from './compare-samples.ts';
import type { Look } from './probation.ts';
import { SampleParts } from './sample-parts.ts';

/** Null where the policy wants none, or where it is the same release in fresh processes.
 *  `hasStalled`: whether the machine has, since that was asked last. */
export function createLook({ workers }: DeployParts, run: DeployRun, hasStalled: () => boolean): Look | null {
  const release = workers.currentRelease();
  const policy = release?.manifest.settings.policy.probation ?? 'faults';
  if (policy === 'faults' || run.previous?.manifest.id === release?.manifest.id) return null;
  const parts = new SampleParts();
  return async (isLast) => {
    const after = await workers.sample();
    if (after !== null && run.baseline !== null) {
      const known = parts.add(after, hasStalled());
      run.figures = { ...compareSamples(run.baseline, after, known), before: run.baseline, after };
    }
    const verdict = run.figures?.verdict ?? 'inconclusive';
    if (verdict === 'worse') return `it serves worse than the one before: ${toText(run.figures, 'worse')}`;
    if (verdict !== 'inconclusive' || policy !== 'strict' || !isLast) return null;
    return `nobody knows how it serves, and policy.probation is "strict": ${toText(run.figures, 'inconclusive')}`;
  };
}

/** What a run that has passed is told to have been found; empty where it was not compared. */
export function describeFigures({ figures, baseline }: DeployRun): string {
  if (figures === null) return baseline === null ? '' : '; it was not compared with the one before';
  if (figures.verdict !== 'inconclusive')
    return `; it serves ${toComparative(figures.verdict)} the one before`;
  const { before, after } = figures;
  return `; too little is known to compare it with the one before: ${after.answerCount} answers, before ${before.answerCount}`;
}

function toComparative(verdict: ComparisonVerdict): string {
  return verdict === 'better' ? 'better than' : 'as well as';
}

function toText(figures: Comparison | null, wanted: ComparisonVerdict): string {
  const aspects = figures?.aspects.filter(({ verdict }) => verdict === wanted) ?? [];
  if (aspects.length === 0) return 'no figures';
  return aspects.map(({ code, message }) => `${code} ${message}`).join('; ');
}
