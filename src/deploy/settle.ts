/** What follows when a release has passed: the record says so, and the releases that nothing needs any more go. */

import { toReleaseIdOfRoot } from '../release/home.ts';
import type { RunnableRelease } from '../supervisor/process-host.ts';
import type { DeployParts } from './deploy-parts.ts';
import { noteProved } from './open-record.ts';
import { pruneReleases } from './releases.ts';

/** What is recorded as proved is what a start comes up on. Errors: those of the record. */
export function recordProved({ home, history }: DeployParts, release: RunnableRelease): void {
  const { id } = release.manifest;
  history.setCurrent(id);
  history.setProved(id);
  noteProved(home, id);
}

/** In the background. */
export function removeSurplus(parts: DeployParts, release: RunnableRelease): void {
  const { id, settings } = release.manifest;
  prune(parts, id, settings.keep).catch((error: unknown) => parts.tell('prune', String(error)));
}

/** Keeps what some worker's code may still read from: a shared module stays in the release that it was first part of. */
async function prune({ home, workers, history }: DeployParts, id: string, keep: number): Promise<void> {
  const before = history.servedBefore(id);
  const reports = await workers.status();
  if (reports.some(({ status }) => status === 'silent')) return;
  const inUse = reports.flatMap(({ roots = [] }) => roots.map((root) => toReleaseIdOfRoot(root)));
  await pruneReleases(home, keep, new Set([id, ...(before === null ? [] : [before]), ...inUse]));
}
