/** Which releases must stay, and why. Pure: what is removed is what this does not name. */

import type { Keep } from '../protocol/manifest.ts';

export const releaseRoots = [
  'current',
  'proved',
  'before',
  'pinned',
  'at-work',
  'probation',
  'worker',
  'newest',
  'young',
  'unrecorded',
] as const;
/**
 * - `current`: it serves. `proved`: a start comes up on it. `before`: a rollback goes there.
 * - `pinned`: somebody wants it. `at-work`: a deploy is about it. `probation`: it is in it, or is gone back to.
 * - `worker`: code of a worker may still read from it.
 * - `newest`, `young`: as `keep` says. `unrecorded`: no deploy was about it, and it is new: another process may be making it.
 */
export type ReleaseRoot = (typeof releaseRoots)[number];

export interface ReleaseFacts {
  /** All on disk. */
  readonly onDisk: readonly string[];
  /** Those that some deploy was about, the one that was longest ago first. */
  readonly deployed: readonly string[];
  readonly held: Readonly<Partial<Record<ReleaseRoot, readonly (string | null)[]>>>;
  readonly keep: Keep;
  /** When one was built; what can't be told is taken for new. */
  readonly ageMsOf: (id: string) => number;
}

const DAY_MS = 86_400_000;
/** A build takes no longer than its commands may. */
const UNRECORDED_MS = 3_600_000;

/** The releases on disk that stay, each with its roots. */
export function findLiveReleases(facts: ReleaseFacts): ReadonlyMap<string, readonly ReleaseRoot[]> {
  const { onDisk, held, keep, ageMsOf } = facts;
  const { count, days } = typeof keep === 'number' ? { count: keep, days: 0 } : keep;
  const ordered = toOrder(facts);
  const newest = new Set(ordered.slice(-count));
  const recorded = new Set(facts.deployed);
  const isRoot = (id: string, root: ReleaseRoot): boolean => {
    if (held[root]?.includes(id) === true) return true;
    if (root === 'newest') return newest.has(id);
    if (root === 'young') return ageMsOf(id) < days * DAY_MS;
    return root === 'unrecorded' && !recorded.has(id) && ageMsOf(id) < UNRECORDED_MS;
  };
  const live = onDisk.map((id) => [id, releaseRoots.filter((root) => isRoot(id, root))] as const);
  return new Map(live.filter(([, roots]) => roots.length > 0));
}

/** By the record. What that does not know, since it was lost, say, was before; by id, for want of better. */
function toOrder({ onDisk, deployed }: ReleaseFacts): readonly string[] {
  const there = new Set(onDisk);
  const recorded = new Set(deployed);
  const unknown = onDisk.filter((id) => !recorded.has(id)).toSorted();
  return [...unknown, ...deployed.filter((id) => there.has(id))];
}
