/** The modules of a release, compiled into the store; what the release before has already is taken over. */

import { statSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { MidflightError } from '../errors.ts';
import { LayeredMap } from '../protocol/layered-map.ts';
import type { Manifest, ManifestModule, ManifestModules } from '../protocol/manifest.ts';
import { toMapName, toStoredMap } from '../protocol/source-map.ts';
import { compileModules } from './compile-modules.ts';
import type { Config } from './config.ts';
import { findEntry } from './entry.ts';
import type { Home } from './home.ts';
import { digestOf } from './inventory.ts';
import type { TreeInventory } from './release-contents.ts';
import { findReusable } from './reusable-modules.ts';
import type { FetchedSource } from './source.ts';
import type { StartScript } from './start-script.ts';

/** Where a build is at work. */
export interface Place {
  readonly home: Home;
  /** The release's tree. */
  readonly tree: string;
  /** The app's own folder in it. */
  readonly root: string;
}

export interface AppToCompile {
  readonly source: FetchedSource;
  readonly config: Config;
  /** The release before; null where nothing of it is to be taken over. */
  readonly before: Manifest | null;
  /** What is in the tree, as far as that is known by now. */
  readonly inventory: TreeInventory | null;
  readonly dependenciesHash: string | null;
}

export interface CompiledApp {
  readonly start: StartScript | null;
  readonly modules: ManifestModules;
  /** Digests of compiled code, by the hash of the module. */
  readonly compiled: Readonly<Record<string, string>>;
  readonly textOf: (relative: string) => string | null;
  readonly problems: readonly MidflightError[];
}

const noModules = {
  start: null,
  modules: LayeredMap.of<ManifestModule>(),
  compiled: {},
  textOf: () => null,
  problems: [],
};

/** Errors: ERR_MIDFLIGHT_SYNTAX, ERR_MIDFLIGHT_ENTRY_UNKNOWN, ERR_MIDFLIGHT_ENTRY_MISSING. */
export async function compileApp({ home, tree, root }: Place, app: AppToCompile): Promise<CompiledApp> {
  const { config, inventory, before, dependenciesHash } = app;
  const { appFolder } = app.source;
  if (config.command !== undefined) return noModules;
  const found = await findEntry(root, config.entry);
  const start = { ...found, entry: path.posix.join(appFolder, found.entry) };
  const next = { appFolder, entry: start.entry, dependenciesHash, store: home.store };
  const reusable = inventory === null ? null : findReusable(before, { ...next, tree: inventory });
  const written: Record<string, string> = {};
  const { modules, textOf, problems } = await compileModules({
    root: tree,
    appFolder,
    entry: start.entry,
    cacheDirectory: home.cache,
    ...(reusable && { before: reusable.modules, changes: reusable.changes }),
    async writeCompiled(hash, code) {
      written[hash] = digestOf(code);
      await writeStored(path.join(home.store, `${hash}.js`), () => code);
    },
    writeMap: async (hash, map) =>
      writeStored(path.join(home.store, toMapName(hash)), () => toStoredMap(map)),
  });
  const compiled = reusable === null ? written : digestsOf(modules, { ...reusable.compiled, ...written });
  return { start, modules, compiled, textOf, problems };
}

function digestsOf(
  modules: ManifestModules,
  digests: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries([...modules.values()].map(({ hash }) => [hash, digests[hash] ?? '']));
}

/** Content-addressed: what is there is the same, unless the machine went down before the disk had all of it. Renamed into place, so a
 *  reader never sees half of it. */
async function writeStored(file: string, toText: () => string): Promise<void> {
  const text = toText();
  if (statSync(file, { throwIfNoEntry: false })?.size === Buffer.byteLength(text)) return;
  const staging = `${file}.${process.pid}.tmp`;
  await writeFile(staging, text);
  await rename(staging, file);
}
