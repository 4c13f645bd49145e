/** What must stay, as the record, the workers and the disk say it now; the rest is swept. */

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { parseManifest, type Keep } from '../protocol/manifest.ts';
import { toReleaseIdOfRoot, toReleaseLocation, type Home } from '../release/home.ts';
import { acquireLock } from '../supervisor/lock.ts';
import { findOrphans } from '../supervisor/orphans.ts';
import type { AtWork } from './at-work.ts';
import type { Actor, AuditEntry } from './audit-chain.ts';
import type { DeployParts } from './deploy-parts.ts';
import type { History } from './history.ts';
import { findLiveReleases, type ReleaseFacts, type ReleaseRoot } from './live-releases.ts';
import { openRecord } from './open-record.ts';
import { listPins } from './pins.ts';
import { sweep, type SweepReport } from './sweep.ts';

const DEFAULT_KEEP = 10;

type Held = ReleaseFacts['held'];

/** Beside what runs. */
export async function collectGarbage(
  { home, workers, history, atWork }: DeployParts,
  { isDryRun }: { readonly isDryRun: boolean },
): Promise<SweepReport> {
  const generation = workers.generation();
  const reports = await workers.status();
  // As long as a supervisor looks for what another has left, it does not know its workers.
  const isKnown = workers.currentRelease() !== null && !reports.some(({ status }) => status === 'silent');
  const inWorkers = reports.flatMap(({ roots = [] }) => roots.map((root) => toReleaseIdOfRoot(root)));
  const keep = workers.currentRelease()?.manifest.settings.keep ?? DEFAULT_KEEP;
  const findLive = (): ReturnType<typeof findLiveReleases> | null => {
    // What workers have loaded since is not in what they have said.
    if (!isKnown || workers.generation() !== generation) return null;
    const current = workers.currentRelease()?.manifest.id ?? null;
    return findLiveOf(
      home,
      { history, keep },
      {
        current: [current],
        proved: [workers.warmRelease()?.manifest.id ?? null],
        worker: inWorkers,
        ...releasesAtWork(atWork),
      },
    );
  };
  return sweep({ home, isDryRun, findLive });
}

/** Where nothing runs. Errors: ERR_MIDFLIGHT_ALREADY_RUNNING; ERR_MIDFLIGHT_USAGE where processes of a killed keeper serve. */
export async function collectGarbageOffline(
  home: Home,
  { isDryRun }: { readonly isDryRun: boolean },
): Promise<SweepReport> {
  if (findOrphans(home.processFile).length > 0)
    throw new MidflightError('ERR_MIDFLIGHT_USAGE', [
      'what a killed keeper has left still serves, and nobody knows what it needs; "midflight start" first',
    ]);
  const lock = acquireLock(home.lockFile);
  try {
    const history = openRecord(home, () => undefined);
    try {
      const keep = readKeep(home, history.proved() ?? history.current());
      return await sweep({ home, isDryRun, findLive: () => findLiveOf(home, { history, keep }, {}) });
    } finally {
      history.close();
    }
  } finally {
    lock.dispose();
  }
}

/** What the audit log says of a collection that somebody asked for. After it, since on a full disk nothing could be said before. */
export function toCollectEntry(actor: Actor, { removed }: SweepReport): AuditEntry {
  const { releases, store, cache, dependencies } = removed;
  const names = releases.length === 0 ? 'no release' : releases.join(', ');
  const detail = `${names}; ${store} files of the store, ${cache} of the cache, ${dependencies} sets of dependencies`;
  return { action: 'gc', actor, result: 'done', detail };
}

function releasesAtWork({ working, probation }: AtWork): Held {
  const run = typeof working === 'string' ? null : working;
  return {
    'at-work': [run?.release ?? null, run?.previous?.manifest.id ?? null],
    probation: [probation?.run.release ?? null, probation?.run.previous?.manifest.id ?? null],
  };
}

function findLiveOf(
  home: Home,
  { history, keep }: { readonly history: History; readonly keep: Keep },
  held: Held,
): ReadonlyMap<string, readonly ReleaseRoot[]> {
  const current = history.current();
  const proved = history.proved();
  const all: Held = {
    ...held,
    current: [current, ...(held.current ?? [])],
    proved: [proved, ...(held.proved ?? [])],
    before: [current, proved, ...(held.current ?? [])].map((id) => id && history.servedBefore(id)),
    pinned: listPins(home),
  };
  return findLiveReleases({
    onDisk: listOnDisk(home),
    deployed: history.deployedReleases(),
    held: all,
    keep,
    ageMsOf: (id) => ageMsOf(path.join(home.releases, id)),
  });
}

function listOnDisk(home: Home): readonly string[] {
  return existsSync(home.releases) ? readdirSync(home.releases).filter((name) => !name.startsWith('.')) : [];
}

/** As the release says that serves, or would. */
function readKeep(home: Home, id: string | null): Keep {
  try {
    const { manifestFile } = toReleaseLocation(home, id ?? '');
    return parseManifest(readFileSync(manifestFile, 'utf8')).settings.keep;
  } catch {
    // There is none yet, or it can't be read.
    return DEFAULT_KEEP;
  }
}

function ageMsOf(directory: string): number {
  const { mtimeMs } = statSync(directory, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
  return Date.now() - mtimeMs;
}
