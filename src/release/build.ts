/**
 * Source tree → release. Everything happens in a staging folder that is renamed into place when it is whole, so a build
 * that fails or is killed leaves nothing that could be taken for a release.
 */

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { LayeredMap } from '../protocol/layered-map.ts';
import { FORMAT_VERSION, type Manifest, type ManifestModules } from '../protocol/manifest.ts';
import { MAPS_LINK, toMapName, toStoredMap } from '../protocol/source-map.ts';
import { collectAssets } from './assets.ts';
import { runCommand } from './command.ts';
import { compileModules } from './compile-modules.ts';
import { readConfig, type Config } from './config.ts';
import { installDependencies } from './dependencies.ts';
import { findEntry } from './entry.ts';
import type { Home } from './home.ts';
import { fetchSource, type FetchedSource } from './source.ts';
import type { StartScript } from './start-script.ts';

const INSTALL_TIMEOUT_MS = 600_000;

export const buildSteps = ['fetch', 'install', 'build'] as const;
export type BuildStep = (typeof buildSteps)[number];

export interface BuildOptions {
  readonly home: Home;
  readonly ref: string;
  readonly isDirty: boolean;
  readonly onStep: (step: BuildStep) => void;
}

export interface BuiltRelease {
  readonly manifest: Manifest;
  /** Imports that can't be linked: reasons to reject the release before anything runs. */
  readonly problems: readonly MidflightError[];
}

/** Builds a release and puts it into `releases/`.
 *  Errors: of the source, the configuration, the install, the app's build; ERR_MIDFLIGHT_DISK_FULL. */
export async function buildRelease(options: BuildOptions): Promise<BuiltRelease> {
  const { home } = options;
  const staging = path.join(home.releases, `.staging-${process.pid}-${Date.now()}`);
  try {
    for (const directory of [staging, home.store, home.cache, home.dependencies]) {
      await mkdir(directory, { recursive: true });
    }
    return await buildIn(staging, options);
  } catch (error) {
    throw explainFullDisk(error, home.directory);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Removes what builds that were killed have left. Only one process builds for a home at a time. */
export async function removeStaging(home: Home): Promise<void> {
  if (!existsSync(home.releases)) return;
  const names = await readdir(home.releases);
  const stale = names.filter((name) => name.startsWith('.staging-'));
  await Promise.all(
    stale.map((name) => rm(path.join(home.releases, name), { recursive: true, force: true })),
  );
}

async function buildIn(staging: string, options: BuildOptions): Promise<BuiltRelease> {
  const { home, onStep } = options;
  const root = path.join(staging, 'app');
  onStep('fetch');
  const source = await fetchSource(
    { appDirectory: home.appDirectory, ref: options.ref, isDirty: options.isDirty },
    root,
  );
  const config = await readConfig(root);
  await linkShared(home, root, config);
  onStep('install');
  const includeDev = config.build !== undefined;
  const dependenciesHash = await installDependencies({
    home,
    root,
    includeDev,
    timeoutMs: INSTALL_TIMEOUT_MS,
  });
  onStep('build');
  if (config.build !== undefined) await runBuild(config.build, root, config.buildTimeoutMs);
  const compiled = await compileApp(home, root, config);
  const manifest = await describe({ home, root, config, source, dependenciesHash, ...compiled });
  await symlink(
    path.relative(path.join(home.releases, manifest.id), home.store),
    path.join(staging, MAPS_LINK),
  );
  await writeFile(path.join(staging, 'manifest.json'), JSON.stringify(manifest, null, 1));
  await rename(staging, path.join(home.releases, manifest.id));
  return { manifest, problems: compiled.problems };
}

interface CompiledApp {
  readonly start: StartScript | null;
  readonly modules: ManifestModules;
  readonly problems: readonly MidflightError[];
}

async function compileApp(home: Home, root: string, config: Config): Promise<CompiledApp> {
  if (config.command !== undefined) return { start: null, modules: LayeredMap.of(), problems: [] };
  const start = await findEntry(root, config.entry);
  const { modules, problems } = await compileModules({
    root,
    entry: start.entry,
    cacheDirectory: home.cache,
    writeCompiled: async (hash, code) => writeStored(path.join(home.store, `${hash}.js`), () => code),
    writeMap: async (hash, map) =>
      writeStored(path.join(home.store, toMapName(hash)), () => toStoredMap(map)),
  });
  return { start, modules, problems };
}

/** Content-addressed: what is there already is the same. Renamed into place, so a reader never sees half of it. */
async function writeStored(file: string, toText: () => string): Promise<void> {
  if (existsSync(file)) return;
  const staging = `${file}.${process.pid}.tmp`;
  await writeFile(staging, toText());
  await rename(staging, file);
}

async function runBuild(command: string, root: string, timeoutMs: number): Promise<void> {
  const bin = path.join(root, 'node_modules', '.bin');
  const env = { ...process.env, PATH: `${bin}${path.delimiter}${process.env['PATH'] ?? ''}` };
  const result = await runCommand(command, [], { cwd: root, timeoutMs, env, shell: true });
  if (result.exitCode === 0) return;
  const why = result.timedOut ? `no end after ${timeoutMs} ms\n${result.output}` : result.output;
  throw new MidflightError('ERR_MIDFLIGHT_BUILD_FAILED', [command, why]);
}

/** Uploads, a database file: one copy for every release, in the app's own directory. */
async function linkShared(home: Home, root: string, config: Config): Promise<void> {
  for (const name of config.shared) {
    const link = path.join(root, name);
    await rm(link, { recursive: true, force: true });
    await mkdir(path.dirname(link), { recursive: true });
    await symlink(path.join(home.appDirectory, name), link);
  }
}

interface Description extends CompiledApp {
  readonly home: Home;
  readonly root: string;
  readonly config: Config;
  readonly source: FetchedSource;
  readonly dependenciesHash: string | null;
}

async function describe(described: Description): Promise<Manifest> {
  const { config, source, start } = described;
  const nodeOptions = [...(start?.nodeOptions ?? []), ...config.nodeOptions];
  const createdAt = new Date();
  const content = {
    formatVersion: FORMAT_VERSION,
    commit: source.commit,
    isDirty: source.isDirty,
    kind: config.command === undefined ? ('node' as const) : ('command' as const),
    entry: start?.entry ?? null,
    command: config.command ?? null,
    listen: config.listen,
    modules: described.modules,
    assets: await collectAssets(described.root, described.modules),
    dependenciesHash: described.dependenciesHash,
    nodeVersion: process.version,
    nodeOptions,
    args: start?.args ?? [],
    environment: start?.environment ?? {},
    environmentHash: await digestEnvironment(described.home, config.envFile, nodeOptions),
    workers: config.workers === 'auto' ? availableParallelism() : config.workers,
    settings: {
      ready: config.ready,
      readyTimeoutMs: config.readyTimeoutMs,
      stopSignal: config.stopSignal,
      drainTimeoutMs: config.drainTimeoutMs,
      quiesceTimeoutMs: config.quiesceTimeoutMs,
      probationMs: config.probationMs,
      health: config.health ?? null,
      envFile: config.envFile ?? null,
      keep: config.keep,
      upgraded: config.upgraded,
      policy: { maxRetained: config.policy.maxRetained, maxRssMib: config.policy.maxRssMib ?? null },
      shared: config.shared,
    },
  };
  return {
    id: toReleaseId(createdAt, JSON.stringify(content)),
    createdAt: createdAt.toISOString(),
    ...content,
  };
}

/** UTC time to the millisecond, then the digest of the content: sorts by age. */
function toReleaseId(createdAt: Date, content: string): string {
  const time = createdAt.toISOString().replaceAll(/[-:.]/g, '');
  return `${time}-${createHash('sha256').update(content).digest('hex').slice(0, 8)}`;
}

async function digestEnvironment(
  home: Home,
  envFile: string | undefined,
  nodeOptions: readonly string[],
): Promise<string | null> {
  if (envFile !== undefined && !existsSync(path.resolve(home.appDirectory, envFile))) {
    throw new MidflightError('ERR_MIDFLIGHT_ENVIRONMENT_MISSING', [envFile]);
  }
  const named = nodeOptions.map((option) => /^--env-file(?:-if-exists)?=(.*)$/s.exec(option)?.[1]);
  const files = [...named, envFile].filter((name) => name !== undefined);
  const present = files
    .map((name) => path.resolve(home.appDirectory, name))
    .filter((file) => existsSync(file));
  if (present.length === 0) return null;
  const hash = createHash('sha256');
  for (const file of present) hash.update(await readFile(file));
  return hash.digest('hex');
}

function explainFullDisk(error: unknown, directory: string): unknown {
  const text =
    error instanceof Error ? `${(error as NodeJS.ErrnoException).code ?? ''} ${error.message}` : '';
  if (!/ENOSPC|No space left on device|EDQUOT/.test(text)) return error;
  return new MidflightError('ERR_MIDFLIGHT_DISK_FULL', [directory], { cause: error });
}
