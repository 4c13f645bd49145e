/** The workspace that an app in a folder of its repository belongs to: where it begins, and which of its packages the app needs. */

import { existsSync } from 'node:fs';
import { glob, readdir, readFile, realpath, rm } from 'node:fs/promises';
import path from 'node:path';

/** Gives the text of a file by its path in the repository; null where there is none. */
export type ReadFile = (path: string) => Promise<string | null>;

/** The folder of the workspace that lists `appFolder` as a package; `appFolder` itself where none does. Both are POSIX paths
 *  relative to the repository, `''` for its root. */
export async function findWorkspaceRoot(appFolder: string, read: ReadFile): Promise<string> {
  for (let at = appFolder; at !== '';) {
    at = toParent(at);
    const patterns = await readPatterns((name) => read(path.posix.join(at, name)));
    if (isListed(path.posix.relative(at, appFolder), patterns)) return at;
  }
  return appFolder;
}

/** Leaves of each package that the app does not need, by way of other packages or itself, its package.json alone: a lockfile
 *  is about all of them. */
export async function leaveOutOtherPackages(root: string, appFolder: string): Promise<void> {
  const packages = await listPackages(root);
  const needed = new Set<string>([appFolder]);
  for (const at of needed) {
    for (const name of packages.get(at)?.dependencies ?? []) {
      for (const [other, found] of packages) if (found.name === name) needed.add(other);
    }
  }
  const keeps = (at: string): boolean => [...needed].some((one) => one === at || one.startsWith(`${at}/`));
  for (const at of packages.keys()) if (!keeps(at)) await emptyPackage(path.join(root, at));
}

interface WorkspacePackage {
  readonly name: string;
  readonly dependencies: readonly string[];
}

/** The packages of a workspace by folder; none where `root` is not one. What lies outside of `root`, also by way of a link, is not of
 *  the release, and nothing is written or removed there. */
export async function listPackages(root: string): Promise<ReadonlyMap<string, WorkspacePackage>> {
  const patterns = await readPatterns(async (name) => readPresent(path.join(root, name)));
  const wanted = patterns.filter((pattern) => !pattern.startsWith('!'));
  const packages = new Map<string, WorkspacePackage>();
  for await (const file of glob(
    wanted.map((pattern) => `${toPlain(pattern)}/package.json`),
    { cwd: root, exclude: (name) => name.split('/').includes('node_modules') },
  )) {
    const folder = path.dirname(file).split(path.sep).join('/');
    if (isListed(folder, patterns) && (await isWithin(root, path.join(root, folder))))
      packages.set(folder, await readPackage(path.join(root, file)));
  }
  return new Map([...packages].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Where links have been followed. */
async function isWithin(root: string, directory: string): Promise<boolean> {
  const relative = path.relative(await realpath(root), await realpath(directory));
  return relative.split(path.sep)[0] !== '..' && !path.isAbsolute(relative);
}

async function readPackage(file: string): Promise<WorkspacePackage> {
  const content = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  const fields = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'];
  const dependencies = fields.flatMap((field) => Object.keys((content[field] as object | undefined) ?? {}));
  return { name: typeof content['name'] === 'string' ? content['name'] : '', dependencies };
}

async function emptyPackage(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (name !== 'package.json') await rm(path.join(directory, name), { recursive: true, force: true });
  }
}

/** npm, yarn and bun list packages in package.json, pnpm in a file of its own. */
async function readPatterns(read: ReadFile): Promise<readonly string[]> {
  const yaml = await read('pnpm-workspace.yaml');
  const listed = yaml === null ? [] : toYamlPackages(yaml);
  return listed.length > 0 ? listed : toJsonPackages((await read('package.json')) ?? '{}');
}

function toJsonPackages(text: string): readonly string[] {
  try {
    const { workspaces } = JSON.parse(text) as { workspaces?: unknown };
    const listed = Array.isArray(workspaces)
      ? (workspaces as unknown[])
      : (workspaces as { packages?: unknown[] } | undefined)?.packages;
    return (listed ?? []).filter((pattern) => typeof pattern === 'string');
  } catch {
    // A package.json that is none is told where the app's own is read.
    return [];
  }
}

/** The list below `packages:`, as pnpm's own documentation writes it. */
function toYamlPackages(text: string): readonly string[] {
  const block = /^packages:[^\n]*\n((?:[ \t]*(?:-[^\n]*|#[^\n]*)?(?:\n|$))*)/m.exec(text)?.[1] ?? '';
  return [...block.matchAll(/^[ \t]*-[ \t]*(?:'([^']*)'|"([^"]*)"|([^\s#]+))/gm)].map(
    ([, single, double, bare]) => single ?? double ?? bare ?? '',
  );
}

function isListed(folder: string, patterns: readonly string[]): boolean {
  const matches = (pattern: string): boolean => path.posix.matchesGlob(folder, toPlain(pattern));
  const [refused, wanted] = [true, false].map((isRefused) =>
    patterns.filter((pattern) => pattern.startsWith('!') === isRefused),
  );
  return wanted?.some(matches) === true && refused?.some((pattern) => matches(pattern.slice(1))) !== true;
}

function toPlain(pattern: string): string {
  return pattern.replace(/^\.\//, '').replace(/\/+$/, '');
}

function toParent(folder: string): string {
  const parent = path.posix.dirname(folder);
  return parent === '.' ? '' : parent;
}

async function readPresent(file: string): Promise<string | null> {
  return existsSync(file) ? readFile(file, 'utf8') : null;
}
