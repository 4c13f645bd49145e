/** Installs an app's dependencies once per lockfile and links them into releases. */

import { createHash, type Hash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import type { BuildCommands } from './build-commands.ts';
import type { Home } from './home.ts';
import { linkInstalled } from './link-installed.ts';
import { findManager, installFiles, type ChosenManager } from './package-managers.ts';
import { listPackages } from './workspace.ts';

const INSTALL_TIMEOUT_MS = 600_000;

/** What of package.json decides which dependencies there are. */
const dependencyFields = [
  'dependencies',
  'devDependencies',
  'optionalDependencies',
  'overrides',
  'workspaces',
] as const;
/** Likewise, of some package managers. */
const furtherFields = ['resolutions', 'pnpm', 'packageManager', 'trustedDependencies'] as const;
/** Scripts of the app's own that want its files. */
const installScripts = ['preinstall', 'install', 'postinstall'] as const;

export interface DependencyOptions {
  readonly home: Home;
  /** The release's tree, into which `node_modules` is linked. */
  readonly root: string;
  /** An app with a build of its own needs its devDependencies too. */
  readonly includeDev: boolean;
  /** Variables that an install finds besides the usual. */
  readonly names: readonly string[];
  readonly commands: BuildCommands;
}

/** Returns the digest that names the installed set; null where no package.json names dependencies.
 *  Errors: ERR_MIDFLIGHT_INSTALL_FAILED with the end of what the package manager printed,
 *  ERR_MIDFLIGHT_PACKAGE_MANAGER_MISSING. */
export async function installDependencies(options: DependencyOptions): Promise<string | null> {
  const { root, home, includeDev } = options;
  const own = await readPackage(root);
  if (own === null) return null;
  const folders = ['', ...(await listPackages(root)).keys()];
  const packages = new Map<string, Package>();
  for (const folder of folders) packages.set(folder, (await readPackage(path.join(root, folder))) ?? {});
  if (![...packages.values()].some(hasDependencies)) return null;
  const chosen = await findManager(root, own['packageManager']);
  const hash = await digest({ root, packages, chosen, includeDev });
  if ([...packages.values()].some(needsOwnTree)) {
    await install(chosen, root, options);
    return hash;
  }
  const installed = path.join(home.dependencies, hash);
  if (!existsSync(installed)) await installAside({ chosen, packages, installed }, options);
  await linkInstalled({ installed, root, folders });
  return hash;
}

type Package = Readonly<Record<string, unknown>>;

async function readPackage(folder: string): Promise<Package | null> {
  const file = path.join(folder, 'package.json');
  return existsSync(file) ? (JSON.parse(await readFile(file, 'utf8')) as Package) : null;
}

function hasDependencies(content: Package): boolean {
  return dependencyFields.some((field) => Object.keys(content[field] ?? {}).length > 0);
}

/** A package by path is part of the release's own tree, and a script of the app's wants that tree, so its `node_modules`
 *  can't be shared. */
function needsOwnTree(content: Package): boolean {
  const scripts = (content['scripts'] ?? {}) as Package;
  if (installScripts.some((name) => name in scripts)) return true;
  const versions = dependencyFields
    .filter((field) => field !== 'workspaces')
    .flatMap((field) => Object.values(content[field] ?? {}) as unknown[]);
  return versions.some((version) => /^(?:file:|link:|portal:|\.{0,2}\/)/.test(String(version)));
}

interface Digested {
  readonly root: string;
  readonly packages: ReadonlyMap<string, Package>;
  readonly chosen: ChosenManager;
  readonly includeDev: boolean;
}

async function digest({ root, packages, chosen, includeDev }: Digested): Promise<string> {
  const hash = createHash('sha256');
  for (const [folder, content] of packages) {
    const further = furtherFields.filter((field) => content[field] !== undefined);
    const fields = [...dependencyFields, ...further].map((field) => [field, content[field] ?? null]);
    hash.update(`${folder}\0${JSON.stringify(fields)}\0`);
  }
  const { manager, lock } = chosen;
  for (const part of [lock, manager.command, String(includeDev), process.versions.modules])
    hash.update(`${part}\0`);
  for (const name of installFiles) if (name !== manager.lockFile) await digestFile(hash, root, name);
  return hash.digest('hex').slice(0, 32);
}

/** A file, or the files of a folder, by name and content. */
async function digestFile(hash: Hash, root: string, name: string): Promise<void> {
  const at = path.join(root, name);
  if (!existsSync(at)) return;
  const names = await readdir(at).catch(() => null);
  if (names === null) hash.update(`${name}\0`).update(await readFile(at));
  else for (const inner of names.toSorted()) await digestFile(hash, root, path.join(name, inner));
}

interface Aside {
  readonly chosen: ChosenManager;
  readonly packages: ReadonlyMap<string, Package>;
  readonly installed: string;
}

async function installAside(
  { chosen, packages, installed }: Aside,
  options: DependencyOptions,
): Promise<void> {
  const staging = `${installed}.${process.pid}.tmp`;
  await rm(staging, { recursive: true, force: true });
  try {
    for (const [folder, { scripts: _, ...content }] of packages) {
      await mkdir(path.join(staging, folder), { recursive: true });
      // Without scripts: "prepare" is for whoever develops the app, and finds none of its files here.
      await writeFile(path.join(staging, folder, 'package.json'), JSON.stringify(content, null, 2));
    }
    for (const name of installFiles) {
      const file = path.join(options.root, name);
      if (existsSync(file)) await cp(file, path.join(staging, name), { recursive: true });
    }
    await install(chosen, staging, options);
    await rename(staging, installed).catch((error: unknown) => {
      // A build of another process, which wants the same, was quicker.
      if (!existsSync(installed)) throw error;
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function install(chosen: ChosenManager, cwd: string, options: DependencyOptions): Promise<void> {
  const { manager } = chosen;
  const args = [...manager.install, ...(options.includeDev ? [] : manager.omitDev)];
  const { problem } = await run(chosen, [manager.command, ...args], { cwd, ...options });
  if (problem === null) return;
  const shown = [manager.command, ...args].join(' ');
  throw new MidflightError('ERR_MIDFLIGHT_INSTALL_FAILED', [shown, problem]);
}

type Run = Pick<DependencyOptions, 'names' | 'commands'> & { readonly cwd: string };

/** Where the manager is not on the path and package.json says which version it wants, corepack gets that, if it is there. */
async function run(
  chosen: ChosenManager,
  [command = '', ...args]: readonly string[],
  place: Run,
): Promise<{ readonly problem: string | null }> {
  const { manager, isNamed } = chosen;
  const { cwd, names, commands } = place;
  const variables = { COREPACK_ENABLE_DOWNLOAD_PROMPT: '0', ...manager.environment };
  const options = { cwd, timeoutMs: INSTALL_TIMEOUT_MS, environment: { names }, variables };
  try {
    return await commands.run('install', { ...options, command, args });
  } catch (error) {
    if (error instanceof MidflightError) throw error;
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw new MidflightError('ERR_MIDFLIGHT_INSTALL_FAILED', [command, String(error)], { cause: error });
    if (command !== 'corepack' && isNamed) return run(chosen, ['corepack', command, ...args], place);
    throw new MidflightError('ERR_MIDFLIGHT_PACKAGE_MANAGER_MISSING', [manager.lockFile, manager.command], {
      cause: error,
    });
  }
}
