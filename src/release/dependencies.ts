/** Installs an app's dependencies once per lockfile and links them into releases. */

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { runCommand } from './command.ts';
import type { Home } from './home.ts';

/** What of package.json decides which dependencies there are. */
const DEPENDENCY_FIELDS = [
  'dependencies',
  'devDependencies',
  'optionalDependencies',
  'overrides',
  'workspaces',
];

interface PackageManager {
  readonly lockFile: string;
  readonly command: string;
  readonly install: readonly string[];
  readonly omitDev: readonly string[];
}

const packageManagers: readonly PackageManager[] = [
  {
    lockFile: 'package-lock.json',
    command: 'npm',
    install: ['ci', '--no-audit', '--no-fund'],
    omitDev: ['--omit=dev'],
  },
  {
    lockFile: 'npm-shrinkwrap.json',
    command: 'npm',
    install: ['ci', '--no-audit', '--no-fund'],
    omitDev: ['--omit=dev'],
  },
  {
    lockFile: 'pnpm-lock.yaml',
    command: 'pnpm',
    install: ['install', '--frozen-lockfile'],
    omitDev: ['--prod'],
  },
  { lockFile: 'yarn.lock', command: 'yarn', install: ['install', '--immutable'], omitDev: [] },
  {
    lockFile: 'bun.lock',
    command: 'bun',
    install: ['install', '--frozen-lockfile'],
    omitDev: ['--production'],
  },
];

const withoutLock: PackageManager = {
  lockFile: '',
  command: 'npm',
  install: ['install', '--no-audit', '--no-fund', '--no-package-lock'],
  omitDev: ['--omit=dev'],
};

export interface DependencyOptions {
  readonly home: Home;
  /** The release's tree, into which `node_modules` is linked. */
  readonly root: string;
  /** An app with a build of its own needs its devDependencies too. */
  readonly includeDev: boolean;
  readonly timeoutMs: number;
}

/** Returns the digest that names the installed set; null where package.json names no dependencies.
 *  Errors: ERR_MIDFLIGHT_INSTALL_FAILED with the end of what the package manager printed. */
export async function installDependencies(options: DependencyOptions): Promise<string | null> {
  const description = await readPackageFields(options.root);
  if (description === null) return null;
  const manager =
    packageManagers.find(({ lockFile }) => existsSync(path.join(options.root, lockFile))) ?? withoutLock;
  const lock =
    manager.lockFile === '' ? '' : await readFile(path.join(options.root, manager.lockFile), 'utf8');
  const parts = [description, lock, manager.command, String(options.includeDev), process.versions.modules];
  const hash = createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 32);
  if (linksLocalPackages(lock)) {
    await install(manager, options.root, options);
    return hash;
  }
  const installed = path.join(options.home.dependencies, hash);
  if (!existsSync(installed)) await installAside(manager, installed, options);
  if (existsSync(path.join(installed, 'node_modules'))) {
    await symlink(path.join(installed, 'node_modules'), path.join(options.root, 'node_modules'), 'dir');
  }
  return hash;
}

/** A package by path belongs to the release's own tree, so its `node_modules` can't be shared. */
function linksLocalPackages(lock: string): boolean {
  return /"link": true|"(?:resolved|version)": "file:|\blink:|workspace:/.test(lock);
}

async function installAside(
  manager: PackageManager,
  target: string,
  options: DependencyOptions,
): Promise<void> {
  const staging = `${target}.${process.pid}.tmp`;
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging, { recursive: true });
  for (const name of ['package.json', manager.lockFile, '.npmrc', '.yarnrc.yml', 'pnpm-workspace.yaml']) {
    const file = path.join(options.root, name);
    if (name !== '' && existsSync(file)) await copyFile(file, path.join(staging, name));
  }
  try {
    await install(manager, staging, options);
    await rename(staging, target);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function install(manager: PackageManager, cwd: string, options: DependencyOptions): Promise<void> {
  const args = [...manager.install, ...(options.includeDev ? [] : manager.omitDev)];
  const shown = [manager.command, ...args].join(' ');
  const result = await runCommand(manager.command, args, { cwd, timeoutMs: options.timeoutMs }).catch(
    (error: unknown) => {
      throw new MidflightError('ERR_MIDFLIGHT_INSTALL_FAILED', [shown, String(error)], { cause: error });
    },
  );
  if (result.exitCode === 0) return;
  const why = result.timedOut ? `no end after ${options.timeoutMs} ms\n${result.output}` : result.output;
  throw new MidflightError('ERR_MIDFLIGHT_INSTALL_FAILED', [shown, why]);
}

async function readPackageFields(root: string): Promise<string | null> {
  const file = path.join(root, 'package.json');
  if (!existsSync(file)) return null;
  const content = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  const fields = DEPENDENCY_FIELDS.map((field) => [field, content[field] ?? null] as const);
  const hasAny = fields.some(([, value]) => value !== null && Object.keys(value).length > 0);
  return hasAny ? JSON.stringify(fields) : null;
}
