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
import { FORMAT_VERSION, healthBefore, settingsBefore, type Manifest } from '../protocol/manifest.ts';
import { MAPS_LINK } from '../protocol/source-map.ts';
import { toAssets } from './assets.ts';
import { createBuildCommands, type BuildCommands } from './build-commands.ts';
import { compileApp, type CompiledApp, type Place } from './compile-app.ts';
import { readConfig, readSourceSettings, type Config } from './config.ts';
import { explainDiskProblem } from './disk-problem.ts';
import { installDependencies } from './dependencies.ts';
import type { Home } from './home.ts';
import { linkShared } from './link-shared.ts';
import { readPackageFacts } from './package-facts.ts';
import { describeContents, inventoryTree, type TreeInventory } from './release-contents.ts';
import { mayBeReused, noteBuilt } from './reusable-modules.ts';
import { fetchSource, type FetchedSource } from './source.ts';
import { checkTypes } from './type-check.ts';

/** `compare` is of a bundle, which is not built again. */
export const buildSteps = ['fetch', 'install', 'build', 'compare'] as const;
export type BuildStep = (typeof buildSteps)[number];

export interface BuildOptions {
  readonly home: Home;
  readonly ref: string;
  readonly isDirty: boolean;
  /** It is to run elsewhere, so `envFile` need not be here. */
  readonly isForElsewhere?: boolean;
  /** What of this release is the same is not compiled again. */
  readonly before?: Manifest | null;
  /** Aborted: what runs for the build is ended. */
  readonly signal?: AbortSignal | undefined;
  readonly onStep: (step: BuildStep) => void;
  /** What a step that takes long is at. */
  readonly onProgress?: ((step: BuildStep, message: string) => void) | undefined;
}

export interface BuiltRelease {
  readonly manifest: Manifest;
  /** Imports that can't be linked, and a type check that failed: reasons to reject the release before anything runs. */
  readonly problems: readonly MidflightError[];
}

/** Builds a release and puts it into `releases/`.
 *  Errors: of the source, the configuration, the install, the app's build; ERR_MIDFLIGHT_DISK_FULL. */
export async function buildRelease(options: BuildOptions): Promise<BuiltRelease> {
  const { home } = options;
  const staging = path.join(home.releases, `.staging-${process.pid}-${Date.now()}`);
  try {
    // What apps print and what they are made of is for their owner.
    await mkdir(home.directory, { recursive: true, mode: 0o700 });
    for (const directory of [staging, home.store, home.cache, home.dependencies]) {
      await mkdir(directory, { recursive: true });
    }
    return await buildIn(staging, options);
  } catch (error) {
    throw explainDiskProblem(error, home.directory);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Removes what builds that were killed have left, in the turn of a sweep: nobody builds then. */
export async function removeStaging(home: Home): Promise<void> {
  if (!existsSync(home.releases)) return;
  const names = await readdir(home.releases);
  const stale = names.filter((name) => name.startsWith('.staging-'));
  await Promise.all(
    stale.map((name) => rm(path.join(home.releases, name), { recursive: true, force: true })),
  );
}

async function buildIn(staging: string, options: BuildOptions): Promise<BuiltRelease> {
  const { home, onStep, signal, onProgress } = options;
  const tree = path.join(staging, 'app');
  const commands = createBuildCommands({ logs: home.logs, signal, onProgress });
  onStep('fetch');
  const source = await fetchSource(
    {
      appDirectory: home.appDirectory,
      mirrors: home.source,
      ref: options.ref,
      isDirty: options.isDirty,
      settings: await readSourceSettings(home.appDirectory),
      signal,
      onProgress: (message) => commands.tell('fetch', message),
    },
    tree,
  );
  const place = { home, tree, root: path.join(tree, source.appFolder) };
  const config = await readConfig(place.root);
  await linkShared({ appDirectory: home.appDirectory, root: place.root, names: config.shared });
  onStep('install');
  const includeDev = needsDevDependencies(config);
  const dependenciesHash = await installDependencies({
    home,
    root: tree,
    includeDev,
    names: config.buildEnv,
    commands,
  });
  onStep('build');
  if (config.build !== undefined) await runBuild(commands, place, config);
  const { isForElsewhere = false, before = null } = options;
  // It is read before it is compiled where that may spare most of the compiling.
  const inventory = mayBeReused(before) ? await inventoryTree(home, tree) : null;
  const checking = checkRelease(place, config, signal);
  const compiled = await compileApp(place, { source, config, before, inventory, dependenciesHash }).finally(
    () => checking,
  );
  const { manifest, text } = await describe({
    ...place,
    config,
    source,
    isForElsewhere,
    dependenciesHash,
    // A command that checks may have written.
    inventory: isChecked(config) ? null : inventory,
    ...compiled,
  });
  await symlink(
    path.relative(path.join(home.releases, manifest.id), home.store),
    path.join(staging, MAPS_LINK),
  );
  await writeFile(path.join(staging, 'manifest.json'), text);
  signal?.throwIfAborted();
  await rename(staging, path.join(home.releases, manifest.id));
  if (compiled.problems.length === 0) noteBuilt(manifest);
  return { manifest, problems: [...compiled.problems, ...(await checking)] };
}

/** Whether a build is more than compiling, and wants its tools. */
export function needsDevDependencies(config: Config): boolean {
  return config.build !== undefined || isChecked(config);
}

function isChecked({ typecheck = false }: Config): boolean {
  return typecheck !== false;
}

/** Beside the compilation; it waits for the app's own build, which may make types. */
async function checkRelease(
  { home, tree, root }: Place,
  { typecheck = false, buildTimeoutMs: timeoutMs, buildEnv: names }: Config,
  signal: AbortSignal | undefined,
): Promise<readonly MidflightError[]> {
  if (typecheck === false) return [];
  const options = { tree, root, typecheck, timeoutMs, names, signal, cacheDirectory: home.cache };
  // Nobody waits for it yet, so it must not reject.
  const problem = await checkTypes(options).catch(
    (error: unknown) => new MidflightError('ERR_MIDFLIGHT_TYPES_WRONG', [String(typecheck), String(error)]),
  );
  return problem === null ? [] : [problem];
}

async function runBuild(commands: BuildCommands, { tree, root }: Place, config: Config): Promise<void> {
  const { build: command = '', buildTimeoutMs: timeoutMs, buildEnv: names } = config;
  const binaries = [...new Set([root, tree])].map((folder) => path.join(folder, 'node_modules', '.bin'));
  const environment = { names, binaries };
  const result = await commands.run('build', {
    command,
    args: [],
    shell: true,
    cwd: root,
    timeoutMs,
    environment,
  });
  if (result.problem !== null)
    throw new MidflightError('ERR_MIDFLIGHT_BUILD_FAILED', [command, result.problem]);
}

interface Description extends CompiledApp, Place {
  readonly inventory: TreeInventory | null;
  readonly config: Config;
  readonly source: FetchedSource;
  readonly isForElsewhere: boolean;
  readonly dependenciesHash: string | null;
}

interface DescribedRelease {
  readonly manifest: Manifest;
  /** It as JSON, as it is written. */
  readonly text: string;
}

async function describe(described: Description): Promise<DescribedRelease> {
  const { config, source, start, modules, dependenciesHash } = described;
  const nodeOptions = [...(start?.nodeOptions ?? []), ...config.nodeOptions];
  const createdAt = new Date();
  const contents = await describeContents(described);
  const content = {
    formatVersion: FORMAT_VERSION,
    commit: source.commit,
    isDirty: source.isDirty,
    ...(source.appFolder === '' ? {} : { appFolder: source.appFolder }),
    kind: config.command === undefined ? ('node' as const) : ('command' as const),
    entry: start?.entry ?? null,
    command: config.command ?? null,
    listen: config.listen,
    modules,
    assets: toAssets(contents.files, modules),
    dependenciesHash,
    nodeVersion: process.version,
    ...(await readPackageFacts(described.root)),
    nodeOptions,
    args: start?.args ?? [],
    environment: start?.environment ?? {},
    environmentHash: await digestEnvironment(described, nodeOptions),
    workers: config.workers === 'auto' ? availableParallelism() : config.workers,
    settings: {
      ready: config.ready,
      readyTimeoutMs: config.readyTimeoutMs,
      stopSignal: config.stopSignal,
      drainTimeoutMs: config.drainTimeoutMs,
      quiesceTimeoutMs: config.quiesceTimeoutMs,
      probationMs: config.probationMs,
      health: config.health === undefined ? null : { ...healthBefore, ...config.health },
      envFile: config.envFile ?? null,
      keep: config.keep,
      upgraded: config.upgraded,
      policy: { ...config.policy, maxRssMib: config.policy.maxRssMib ?? null },
      hooks: { ...settingsBefore.hooks, ...config.hooks },
      shared: config.shared,
    },
    contents,
  };
  const text = JSON.stringify(content, null, 1);
  const head = { id: toReleaseId(createdAt, text), createdAt: createdAt.toISOString() };
  // Of a large app it is megabytes, and is made once.
  return {
    manifest: { ...head, ...content },
    text: `${JSON.stringify(head, null, 1).slice(0, -2)},${text.slice(1)}`,
  };
}

/** UTC time to the millisecond, then the digest of the content: sorts by age. */
function toReleaseId(createdAt: Date, content: string): string {
  const time = createdAt.toISOString().replaceAll(/[-:.]/g, '');
  return `${time}-${createHash('sha256').update(content).digest('hex').slice(0, 8)}`;
}

async function digestEnvironment(
  { home, config: { envFile }, isForElsewhere }: Description,
  nodeOptions: readonly string[],
): Promise<string | null> {
  if (!isForElsewhere && envFile !== undefined && !existsSync(path.resolve(home.appDirectory, envFile))) {
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
