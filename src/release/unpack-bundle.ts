/**
 * A bundle becomes a release: unpacked beside the others, every byte compared with the manifest, then renamed into place.
 *
 * 1. Nothing is written outside of the staging folder: no name leads out of it, and no name leads through a link.
 * 2. What a bundle has besides a release is refused, and so is one that is too large, cut short or altered.
 */

import { createReadStream, existsSync, readFileSync, type Dirent } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { unpackTar } from 'modern-tar/fs';
import { MidflightError } from '../errors.ts';
import { parseManifest, type Manifest } from '../protocol/manifest.ts';
import type { ReleaseLocation } from '../protocol/messages.ts';
import { MAPS_LINK } from '../protocol/source-map.ts';
import { needsDevDependencies, type BuildStep } from './build.ts';
import { createBuildCommands } from './build-commands.ts';
import { bundleSchema, BUNDLE_FILE, toStoredNames, type BundleDescription } from './bundle.ts';
import { createBundleGuard } from './bundle-guard.ts';
import { isInside, readConfig } from './config.ts';
import { installDependencies } from './dependencies.ts';
import { explainDiskProblem } from './disk-problem.ts';
import { toReleaseLocation, type Home } from './home.ts';
import { digestOf } from './inventory.ts';
import { linkShared } from './link-shared.ts';
import { detectPlatform, toPlatformText } from './platform.ts';
import { ensureInventory, toInstalled } from './release-contents.ts';
import { verifyRelease } from './verify.ts';

/** What is not there before an install. */
const OF_DEPENDENCIES = /^deps\/|\/node_modules(?:\/|$)/;
/** More names in an error say no more. */
const PROBLEMS_SHOWN_MAX = 5;

export type StatementUse = 'renews' | 'unknown';

export interface UnpackRequest {
  readonly home: Home;
  readonly file: string;
  readonly signal?: AbortSignal | undefined;
  /** Asked before anything that comes with the bundle is read, runs here, or lies where it could be used; throws where it may not.
   *  Says whether its statement may take the place of that of a release which is here. The release is in a folder of its own, and its manifest's digest is that of the bytes that are read afterwards. */
  readonly beforeUse?: (location: ReleaseLocation) => Promise<StatementUse>;
  readonly onStep: (step: BuildStep) => void;
  readonly onProgress?: ((step: BuildStep, message: string) => void) | undefined;
}

/** Puts the release into `releases/`; one that is there already is compared with the bundle, and stays.
 *  Errors: ERR_MIDFLIGHT_BUNDLE_UNREADABLE, ERR_MIDFLIGHT_BUNDLE_INVALID, ERR_MIDFLIGHT_BUNDLE_PLATFORM, those of an install and of the
 *  disk. */
export async function unpackBundle(request: UnpackRequest): Promise<Manifest> {
  const { home, file } = request;
  const staging = path.join(home.releases, `.staging-${process.pid}-${Date.now()}`);
  try {
    request.onStep('fetch');
    await mkdir(staging, { recursive: true });
    await unpack(request, staging);
    const description = await readDescription(file, staging);
    refuseOtherPlatform(file, description);
    return await settle(request, { staging, description });
  } catch (error) {
    throw explainDiskProblem(error, home.directory);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function unpack({ file, signal }: UnpackRequest, staging: string): Promise<void> {
  const guard = createBundleGuard(file);
  try {
    await pipeline(
      createReadStream(file),
      createZstdDecompress(),
      guard.limit,
      unpackTar(staging, { strict: true, filter: guard.isWanted }),
      signal === undefined ? {} : { signal },
    );
    // Who unpacks may have a mask.
    for (const [name, mode] of guard.modes) await chmod(path.join(staging, name), mode);
  } catch (error) {
    if (error instanceof MidflightError) throw error;
    throw new MidflightError('ERR_MIDFLIGHT_BUNDLE_UNREADABLE', [file, (error as Error).message], {
      cause: error,
    });
  }
}

async function readDescription(file: string, staging: string): Promise<BundleDescription> {
  const text = await readFile(path.join(staging, BUNDLE_FILE), 'utf8').catch(() => '');
  const parsed = bundleSchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const problem = `its ${BUNDLE_FILE} is not one that this Midflight knows`;
  throw new MidflightError('ERR_MIDFLIGHT_BUNDLE_INVALID', [file, problem]);
}

/** Null for what is none. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Whoever reads it says what it should have been.
    return null;
  }
}

function refuseOtherPlatform(file: string, { platform }: BundleDescription): void {
  if (platform === null) return;
  const [wanted, here] = [toPlatformText(platform), toPlatformText(detectPlatform())];
  if (wanted !== here) throw new MidflightError('ERR_MIDFLIGHT_BUNDLE_PLATFORM', [file, wanted, here]);
}

interface Unpacked {
  readonly staging: string;
  readonly description: BundleDescription;
}

async function settle(request: UnpackRequest, unpacked: Unpacked): Promise<Manifest> {
  const { home, file } = request;
  const { staging, description } = unpacked;
  const id = description.release;
  const isInstalledHere = description.dependencies === 'lockfile';
  const inStaging = (name: string): string => path.join(staging, name);
  // Laid out like a home of its own, it can be verified before anything of it is where it could be used.
  const staged: Home = {
    ...home,
    directory: staging,
    releases: inStaging('releases'),
    store: inStaging('store'),
    dependencies: isInstalledHere ? home.dependencies : inStaging('deps'),
  };
  const directory = path.join(staged.releases, id);
  const bytes = await readFile(path.join(directory, 'manifest.json')).catch(() => Buffer.alloc(0));
  const digest = digestOf(bytes);
  if (`sha256:${digest}` !== description.digest)
    throw new MidflightError('ERR_MIDFLIGHT_BUNDLE_INVALID', [file, 'its manifest is not the one it names']);
  const use = (await request.beforeUse?.({ ...toReleaseLocation(staged, id), digest })) ?? 'renews';
  const manifest = parseManifest(bytes.toString());
  requireSame(home, unpacked, file);
  await refuseSurplus(file, unpacked, manifest);
  const { envFile } = manifest.settings;
  if (envFile !== null && !existsSync(path.resolve(home.appDirectory, envFile)))
    throw new MidflightError('ERR_MIDFLIGHT_ENVIRONMENT_MISSING', [envFile]);
  await mkdir(staged.store, { recursive: true });
  await symlink(path.relative(directory, staged.store), path.join(directory, MAPS_LINK));
  await linkSharedOf(request, manifest, directory);
  request.onStep('install');
  if (isInstalledHere) {
    await verify(file, staged, { id, isInstalled: false });
    await install(request, path.join(directory, 'app'), manifest);
  }
  if (!isInstalledHere) await linkDependencies(manifest, { home, staged }, directory);
  request.onStep('compare');
  await verify(file, staged, { id, isInstalled: true });
  await place(home, staged, { manifest, use });
  return manifest;
}

/** Else the manifest of the bundle would be read, and the statement of what is here believed. */
function requireSame(home: Home, { description: { release, digest } }: Unpacked, file: string): void {
  const { manifestFile } = toReleaseLocation(home, release);
  if (!existsSync(manifestFile) || `sha256:${digestOf(readFileSync(manifestFile))}` === digest) return;
  const problem = `release ${release} is here already, and is another`;
  throw new MidflightError('ERR_MIDFLIGHT_BUNDLE_INVALID', [file, problem]);
}

/** What only lies beside a release is not compared with its manifest, and other releases would find it in the store or installed. */
async function refuseSurplus(
  file: string,
  { staging, description: { release, dependencies } }: Unpacked,
  manifest: Manifest,
): Promise<void> {
  const installed = dependencies === 'included' ? `deps/${manifest.dependenciesHash}` : null;
  const expected = new Set([`releases/${release}`, installed, ...toStoredNames(manifest)]);
  for (const folder of ['releases', 'store', 'deps']) {
    const found = await readdir(path.join(staging, folder), { withFileTypes: true }).catch(
      (): Dirent[] => [],
    );
    for (const entry of found) {
      const name = `${folder}/${entry.name}`;
      if (expected.has(name) && !entry.isSymbolicLink()) continue;
      throw new MidflightError('ERR_MIDFLIGHT_BUNDLE_INVALID', [file, `${name} is not part of the release`]);
    }
  }
}

async function verify(
  file: string,
  staged: Home,
  { id, isInstalled }: { readonly id: string; readonly isInstalled: boolean },
): Promise<void> {
  const verified = await verifyRelease(staged, id);
  const problems = verified.problems.filter((problem) => isInstalled || !OF_DEPENDENCIES.test(problem.path));
  if (problems.length === 0) return;
  const shown = problems.slice(0, PROBLEMS_SHOWN_MAX).map((problem) => `${problem.path} is ${problem.kind}`);
  const more = problems.length > shown.length ? `; and ${problems.length - shown.length} more` : '';
  throw new MidflightError('ERR_MIDFLIGHT_BUNDLE_INVALID', [file, `${shown.join('; ')}${more}`]);
}

async function linkSharedOf(
  { home: { appDirectory }, file }: UnpackRequest,
  { settings: { shared: names }, appFolder = '' }: Manifest,
  directory: string,
): Promise<void> {
  for (const name of names)
    if (!isInside(name) || !isInside(path.posix.join(appFolder, name)))
      throw new MidflightError('ERR_MIDFLIGHT_BUNDLE_INVALID', [
        file,
        `its shared ${name} is outside of the app`,
      ]);
  await linkShared({ appDirectory, root: path.join(directory, 'app', appFolder), names });
}

/** To where they will be. */
async function linkDependencies(
  { dependenciesHash }: Manifest,
  { home, staged }: { readonly home: Home; readonly staged: Home },
  directory: string,
): Promise<void> {
  const name = path.join(dependenciesHash ?? '', 'node_modules');
  const link = path.join(directory, 'app/node_modules');
  const isLinked =
    dependenciesHash !== null && !existsSync(link) && existsSync(path.join(staged.dependencies, name));
  if (isLinked) await symlink(path.join(home.dependencies, name), link, 'dir');
}

async function install(
  { home, signal, onProgress }: UnpackRequest,
  root: string,
  { appFolder = '' }: Manifest,
): Promise<void> {
  const config = await readConfig(path.join(root, appFolder));
  await mkdir(home.dependencies, { recursive: true });
  const commands = createBuildCommands({ logs: home.logs, signal, onProgress });
  const includeDev = needsDevDependencies(config);
  const hash = await installDependencies({ home, root, includeDev, names: config.buildEnv, commands });
  const installed = hash === null ? null : toInstalled(home, hash);
  if (installed !== null && existsSync(installed.directory)) await ensureInventory(home, installed);
}

/** What releases have in common first, the release itself last. */
async function place(
  home: Home,
  staged: Home,
  { manifest, use }: { readonly manifest: Manifest; readonly use: StatementUse },
): Promise<void> {
  await moveEach(staged.store, home.store);
  const directory = path.join(staged.releases, manifest.id);
  if (staged.dependencies !== home.dependencies) await moveEach(staged.dependencies, home.dependencies);
  const target = path.join(home.releases, manifest.id);
  if (!existsSync(target)) await rename(directory, target);
  else if (use === 'renews') await renewStatement(directory, target);
}

/** The release is the same; that it may serve again may have been signed since. */
async function renewStatement(from: string, to: string): Promise<void> {
  const name = 'statement.json';
  if (existsSync(path.join(from, name))) await rename(path.join(from, name), path.join(to, name));
}

/** What is there already has the same name because it has the same content. */
async function moveEach(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  const names = await readdir(from).catch((): string[] => []);
  for (const name of names) {
    const target = path.join(to, name);
    if (!existsSync(target)) await rename(path.join(from, name), target);
  }
}
