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
  /** What the lockfile has, where its name alone does not tell. */
  readonly lockPattern?: RegExp;
  readonly environment?: NodeJS.ProcessEnv;
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
  {
    lockFile: 'yarn.lock',
    lockPattern: /^# yarn lockfile v1$/m,
    command: 'yarn',
    install: ['install', '--frozen-lockfile'],
    omitDev: ['--production'],
  },
  {
    lockFile: 'yarn.lock',
    command: 'yarn',
    install: ['install', '--immutable'],
    omitDev: [],
    // Node resolves packages by itself here, so they must be where it looks.
    environment: { YARN_NODE_LINKER: 'node-modules' },
  },
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
 *  Errors: ERR_MIDFLIGHT_INSTALL_FAILED with the end of what the package manager printed,
 *  ERR_MIDFLIGHT_PACKAGE_MANAGER_MISSING. */
export async function installDependencies(options: DependencyOptions): Promise<string | null> {
  const description = await readPackageFields(options.root);
  if (description === null) return null;
  const { manager, lock } = await findManager(options.root);
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

async function findManager(root: string): Promise<{ manager: PackageManager; lock: string }> {
  for (const manager of packageManagers) {
    const file = path.join(root, manager.lockFile);
    if (!existsSync(file)) continue;
    const lock = await readFile(file, 'utf8');
    if (manager.lockPattern?.test(lock) !== false) return { manager, lock };
  }
  return { manager: withoutLock, lock: '' };
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
  const { timeoutMs } = options;
  const env = { ...process.env, ...manager.environment };
  const result = await runCommand(manager.command, args, { cwd, timeoutMs, env }).catch((error: unknown) => {
    const { lockFile, command } = manager;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new MidflightError('ERR_MIDFLIGHT_PACKAGE_MANAGER_MISSING', [lockFile, command], {
        cause: error,
      });
    }
    throw new MidflightError('ERR_MIDFLIGHT_INSTALL_FAILED', [shown, String(error)], { cause: error });
  });
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
