/** What each package manager is called with, so that it installs what the lockfile says and nothing else. */

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

export interface PackageManager {
  readonly command: 'npm' | 'pnpm' | 'yarn' | 'bun';
  /** `''` for none: what package.json allows is installed then. */
  readonly lockFile: string;
  /** What the lockfile has, where its name alone does not tell. */
  readonly lockPattern?: RegExp;
  readonly environment?: NodeJS.ProcessEnv;
  readonly install: readonly string[];
  readonly omitDev: readonly string[];
}

const npm = { command: 'npm', install: ['ci', '--no-audit', '--no-fund'], omitDev: ['--omit=dev'] } as const;

export const packageManagers: readonly PackageManager[] = [
  { ...npm, lockFile: 'package-lock.json' },
  { ...npm, lockFile: 'npm-shrinkwrap.json' },
  {
    command: 'pnpm',
    lockFile: 'pnpm-lock.yaml',
    install: ['install', '--frozen-lockfile'],
    omitDev: ['--prod'],
    // It asks before it removes a folder otherwise.
    environment: { CI: 'true' },
  },
  {
    command: 'yarn',
    lockFile: 'yarn.lock',
    lockPattern: /^# yarn lockfile v1$/m,
    install: ['install', '--frozen-lockfile', '--non-interactive'],
    omitDev: ['--production'],
  },
  {
    command: 'yarn',
    lockFile: 'yarn.lock',
    install: ['install', '--immutable'],
    omitDev: [],
    // Node resolves packages by itself here, so they must be where it looks.
    environment: { YARN_NODE_LINKER: 'node-modules', YARN_ENABLE_GLOBAL_CACHE: 'true' },
  },
  {
    command: 'bun',
    lockFile: 'bun.lock',
    install: ['install', '--frozen-lockfile'],
    omitDev: ['--production'],
  },
  {
    command: 'bun',
    lockFile: 'bun.lockb',
    install: ['install', '--frozen-lockfile'],
    omitDev: ['--production'],
  },
];

const withoutLock: PackageManager = {
  command: 'npm',
  lockFile: '',
  install: ['install', '--no-audit', '--no-fund', '--no-package-lock'],
  omitDev: ['--omit=dev'],
};

/** Files and folders besides package.json that say what is installed, and how. */
export const installFiles: readonly string[] = [
  ...new Set(packageManagers.map(({ lockFile }) => lockFile)),
  '.npmrc',
  '.yarnrc',
  '.yarnrc.yml',
  '.yarn/releases',
  '.yarn/plugins',
  '.yarn/patches',
  'pnpm-workspace.yaml',
  '.pnpmfile.cjs',
  'bunfig.toml',
  'patches',
];

export interface ChosenManager {
  readonly manager: PackageManager;
  readonly lock: string;
  /** `packageManager` of package.json names it, with a version. */
  readonly isNamed: boolean;
}

/** By the lockfile in `root`. Where there are several, `packageManager` of package.json decides. */
export async function findManager(root: string, named: unknown): Promise<ChosenManager> {
  const wanted = typeof named === 'string' ? named.split('@')[0] : undefined;
  const chosen: ChosenManager[] = [];
  for (const manager of packageManagers) {
    const file = path.join(root, manager.lockFile);
    if (!existsSync(file)) continue;
    const lock = await readFile(file, 'latin1');
    if (manager.lockPattern?.test(lock) !== false)
      chosen.push({ manager, lock, isNamed: manager.command === wanted });
  }
  return (
    chosen.find(({ isNamed }) => isNamed) ?? chosen[0] ?? { manager: withoutLock, lock: '', isNamed: false }
  );
}
