/** The layout of `.midflight/`, where everything that Midflight keeps for one app lives. */

import path from 'node:path';
import type { ReleaseLocation } from '../protocol/messages.ts';

export interface Home {
  /** The app's own directory, a worker's working directory. */
  readonly appDirectory: string;
  readonly directory: string;
  readonly releases: string;
  readonly store: string;
  readonly cache: string;
  readonly dependencies: string;
  /** Copies of remote repositories. */
  readonly source: string;
  readonly logs: string;
  readonly database: string;
  /** Names the last release that passed, for when the database is damaged. */
  readonly provedFile: string;
  /** A file for each release that is kept whatever its age. */
  readonly pinned: string;
  readonly controlSocket: string;
  readonly lockFile: string;
  /** Shared by builds, and taken alone by a sweep. */
  readonly storeLock: string;
  /** What a keeper that follows a killed one knows its processes by. */
  readonly processFile: string;
  /** The keys whose signatures count. */
  readonly trust: string;
  readonly auditLog: string;
}

/** Paths only; nothing is created. */
export function toHome(appDirectory: string): Home {
  const directory = path.join(appDirectory, '.midflight');
  const inside = (name: string): string => path.join(directory, name);
  return {
    appDirectory,
    directory,
    releases: inside('releases'),
    store: inside('store'),
    cache: inside('cache'),
    dependencies: inside('deps'),
    source: inside('source'),
    logs: inside('logs'),
    database: inside('midflight.db'),
    provedFile: inside('proved'),
    pinned: inside('pinned'),
    controlSocket: inside('control.sock'),
    lockFile: inside('supervisor.lock'),
    storeLock: inside('store.lock'),
    processFile: inside('processes.json'),
    trust: inside('trust'),
    auditLog: inside('audit.log'),
  };
}

/** The release that a tree belongs to. */
export function toReleaseIdOfRoot(root: string): string {
  return path.basename(path.dirname(root));
}

/** Where the files of a release are. */
export function toReleaseLocation(home: Home, id: string): ReleaseLocation {
  const directory = path.join(home.releases, id);
  return {
    id,
    root: path.join(directory, 'app'),
    manifestFile: path.join(directory, 'manifest.json'),
    store: home.store,
  };
}
