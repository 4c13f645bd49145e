/** What follows when a release has passed: the record says so, and what nothing needs any more goes. */

import type { RunnableRelease } from '../supervisor/process-host.ts';
import { collectGarbage } from './collect-garbage.ts';
import type { DeployParts } from './deploy-parts.ts';
import { noteProved } from './open-record.ts';

/** What is recorded as proved is what a start comes up on. Errors: those of the record. */
export function recordProved({ home, history }: DeployParts, release: RunnableRelease): void {
  const { id } = release.manifest;
  history.setCurrent(id);
  history.setProved(id);
  noteProved(home, id);
}

/** In the background. */
export function removeSurplus(parts: DeployParts): void {
  collectGarbage(parts, { isDryRun: false }).catch((error: unknown) => parts.tell('gc', String(error)));
}
