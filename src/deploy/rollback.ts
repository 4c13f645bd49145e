/** Going back to an older release: what is still warm as a withdrawal of the one in probation, any other by a path of its own. */

import { MidflightError } from '../errors.ts';
import type { Candidate } from './candidate.ts';
import type { DeployParts } from './deploy-parts.ts';
import type { DeployRun } from './deploy-run.ts';
import { readRelease } from './releases.ts';

/** The release to go back to; null where withdrawing the one in probation has brought it back. Errors: ERR_MIDFLIGHT_RELEASE_UNKNOWN. */
export async function rollBack(
  parts: DeployParts,
  run: DeployRun,
  id: string | null,
): Promise<Candidate | null> {
  const { home, workers, history } = parts;
  const current = run.previous?.manifest.id ?? '';
  const warm = workers.warmRelease()?.manifest.id ?? current;
  const wanted = id ?? (warm === current ? history.servedBefore(current) : warm);
  if (wanted === null) throw new MidflightError('ERR_MIDFLIGHT_RELEASE_UNKNOWN', ['before this one']);
  run.release = wanted;
  if (wanted === warm && warm !== current && (await withdraw(parts, run))) return null;
  return { release: await readRelease(home, wanted), problems: [] };
}

/** Ends the probation that is under way, for the release before, which is still warm. False where it had ended by itself before that. */
async function withdraw({ workers, atWork, tell }: DeployParts, run: DeployRun): Promise<boolean> {
  if (atWork.probation === null) return false;
  const { run: withdrawn, ended, end } = atWork.probation;
  end('withdrawn');
  const { error } = await ended;
  if (withdrawn.wentBack === null || error?.code !== 'ERR_MIDFLIGHT_DEPLOY_WITHDRAWN') return false;
  const { path, commitMs } = withdrawn.wentBack;
  run.path = path;
  run.timings['commitMs'] = commitMs;
  tell('commit', `generation ${workers.generation()} serves`);
  return true;
}
