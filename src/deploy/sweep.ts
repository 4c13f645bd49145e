/**
 * Removes what nothing needs: releases that `findLiveReleases` does not name, then what no release on disk names of the store, the
 * cache and the dependencies.
 *
 * 1. No build is under way meanwhile, of whatever process (`takeSweepTurn`), and no other process may deploy: a supervisor has the lock
 *    of its directory, or whoever sweeps without one has it.
 * 2. Which releases live is asked again before each removal, in the same step, so that nothing can come between.
 * 3. A release or installed dependencies are renamed first: half of one never has its name. The next sweep finishes what was begun.
 * 4. What is shared goes by the manifests of all releases that are left; if one can't be read, nothing shared goes.
 */

import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { createPauses, type Pauses } from '../protocol/pauses.ts';
import { removeStaging } from '../release/build.ts';
import { explainDiskProblem } from '../release/disk-problem.ts';
import type { Home } from '../release/home.ts';
import { takeSweepTurn } from '../release/store-turn.ts';
import type { ReleaseRoot } from './live-releases.ts';
import { forgetSharedNames, readSharedNames } from './shared-names.ts';

export interface SweepRequest {
  readonly home: Home;
  readonly isDryRun: boolean;
  /** As of now; null where that can't be told any more, which ends the sweep. */
  findLive(): ReadonlyMap<string, readonly ReleaseRoot[]> | null;
}

export interface SweepReport {
  readonly isDryRun: boolean;
  readonly kept: readonly { readonly release: string; readonly roots: readonly ReleaseRoot[] }[];
  readonly removed: {
    readonly releases: readonly string[];
    /** How many files, or folders of dependencies. */
    readonly store: number;
    readonly cache: number;
    readonly dependencies: number;
  };
  readonly freedBytes: number;
  /** Why some of it was left for another time. */
  readonly deferred: string | null;
}

const REMOVING = '.removing-';
/** Transformed files that no module comes from are removed when they are that many times as many as the modules. */
const CACHE_FACTOR = 2;

/** Sweeps once. Errors: those of the disk. */
export async function sweep(request: SweepRequest): Promise<SweepReport> {
  const work = async (): Promise<SweepReport> => {
    try {
      return await sweepAlone(request);
    } catch (error) {
      throw explainDiskProblem(error, request.home.directory);
    }
  };
  const swept = await takeSweepTurn(request.home, work);
  if (swept !== null) return swept;
  const deferred = 'another process builds: "midflight plan" or "midflight bundle"';
  return { ...toReport(request, request.findLive()), deferred };
}

/** What builds and sweeps that were killed have left; where another process builds, the next sweep removes it. */
export async function removeLeftovers(home: Home): Promise<void> {
  await takeSweepTurn(home, async () => {
    await removeStaging(home);
    await removeBegun(home);
  });
}

/** Of a sweep that removes nothing. */
function toReport(
  { isDryRun }: SweepRequest,
  live: ReturnType<SweepRequest['findLive']>,
): Omit<SweepReport, 'deferred'> {
  const kept = [...(live ?? [])].map(([release, roots]) => ({ release, roots }));
  return { isDryRun, kept, removed: nothing, freedBytes: 0 };
}

const nothing = { releases: [], store: 0, cache: 0, dependencies: 0 };

async function sweepAlone(request: SweepRequest): Promise<SweepReport> {
  const { home, isDryRun, findLive } = request;
  const counter = { freedBytes: 0 };
  const first = findLive();
  const report = toReport(request, first);
  if (first === null)
    return { ...report, deferred: 'nothing serves yet, or a worker does not say what it has loaded' };
  if (!isDryRun) {
    await removeStaging(home);
    await removeBegun(home);
  }
  const releases: string[] = [];
  const pauses = createPauses();
  for (const id of listNames(home.releases)) {
    await pauses.next();
    const live = findLive();
    if (live === null || live.has(id)) continue;
    const directory = path.join(home.releases, id);
    counter.freedBytes += await measure(directory, pauses);
    // The measuring took its time: asked again, and moved in the same step.
    if (findLive()?.has(id) !== false) continue;
    releases.push(id);
    if (isDryRun) continue;
    forgetSharedNames(home, id);
    await removeFolder(home, directory);
  }
  const shared = await sweepShared({ home, isDryRun, gone: new Set(releases), pauses, counter });
  return {
    ...report,
    removed: { ...nothing, ...shared.removed, releases },
    freedBytes: counter.freedBytes,
    deferred: shared.deferred,
  };
}

interface Sweep {
  readonly home: Home;
  readonly isDryRun: boolean;
  /** Removed, or would be. */
  readonly gone: ReadonlySet<string>;
  readonly pauses: Pauses;
  readonly counter: { freedBytes: number };
}

async function sweepShared(
  sweeping: Sweep,
): Promise<{ removed: Omit<SweepReport['removed'], 'releases'>; deferred: string | null }> {
  const { home, gone, pauses } = sweeping;
  const none = { store: 0, cache: 0, dependencies: 0 };
  const names = new Set<string>();
  const dependencies = new Set<string>();
  for (const id of listNames(home.releases).filter((name) => !gone.has(name))) {
    await pauses.next();
    const shared = readSharedNames(home, id);
    if (shared === null) return { removed: none, deferred: `the manifest of ${id} can't be read` };
    for (const name of shared.stored) names.add(name);
    if (shared.dependenciesHash !== null) dependencies.add(shared.dependenciesHash);
  }
  const store = await removeFiles(sweeping, home.store, (name) => names.has(name));
  const cache = await sweepCache(sweeping, names);
  let folders = 0;
  for (const name of listNames(home.dependencies).filter((each) => !dependencies.has(each))) {
    folders++;
    const directory = path.join(home.dependencies, name);
    sweeping.counter.freedBytes += await measure(directory, pauses);
    if (!sweeping.isDryRun) await removeFolder(home, directory);
  }
  return { removed: { store, cache, dependencies: folders }, deferred: null };
}

/** What a deploy can do again at any time: it is only kept from growing. */
async function sweepCache(sweeping: Sweep, live: ReadonlySet<string>): Promise<number> {
  const { home } = sweeping;
  if (listNames(home.cache).length <= live.size * CACHE_FACTOR) return 0;
  return removeFiles(sweeping, home.cache, (name) => {
    try {
      const text = readFileSync(path.join(home.cache, name), 'utf8');
      return live.has(`${(JSON.parse(text) as { hash: string }).hash}.js`);
    } catch {
      // Not whole, so of no use.
      return false;
    }
  });
}

async function removeFiles(
  { isDryRun, pauses, counter }: Sweep,
  directory: string,
  isLive: (name: string) => boolean,
): Promise<number> {
  let count = 0;
  for (const name of listNames(directory)) {
    await pauses.next();
    if (isLive(name)) continue;
    const file = path.join(directory, name);
    count++;
    counter.freedBytes += statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (!isDryRun) rmSync(file, { force: true, recursive: true });
  }
  return count;
}

/** What has no name that anybody looks for is not listed: builds under way and removals. */
function listNames(directory: string): readonly string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory).filter((name) => !name.startsWith('.'));
}

/** By a name that nobody looks for, so that half of it is never taken for a release. */
export async function removeFolder(home: Home, directory: string): Promise<void> {
  const removing = path.join(home.releases, `${REMOVING}${path.basename(directory)}`);
  renameSync(directory, removing);
  await rm(removing, { recursive: true, force: true });
}

/** What sweeps that were killed have begun. */
async function removeBegun(home: Home): Promise<void> {
  const all = existsSync(home.releases) ? readdirSync(home.releases) : [];
  for (const name of all.filter((each) => each.startsWith(REMOVING)))
    await rm(path.join(home.releases, name), { recursive: true, force: true });
}

async function measure(directory: string, pauses: Pauses): Promise<number> {
  let bytes = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    await pauses.next();
    const at = path.join(directory, entry.name);
    if (entry.isDirectory()) bytes += await measure(at, pauses);
    else if (entry.isFile()) bytes += statSync(at, { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}
