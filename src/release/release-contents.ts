/** What a release is made of, to the byte: the part of its manifest by which it can be verified. */

import { existsSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Inventory, ReleaseContents } from '../protocol/manifest.ts';
import type { Home } from './home.ts';
import { digestOf, takeInventory } from './inventory.ts';

/** The inventory of installed dependencies, in their folder. */
const INSTALLED_INVENTORY = '.midflight-files.json';
/** That of dependencies in a release's own tree, beside the tree. */
export const OWN_INVENTORY = 'dependencies.json';

export interface ContentsRequest {
  readonly home: Pick<Home, 'appDirectory' | 'dependencies'>;
  /** The release's tree, as long as it is built. */
  readonly tree: string;
  readonly dependenciesHash: string | null;
  readonly compiled: ReleaseContents['compiled'];
  /** The text of a file that was read already; null for others. */
  readonly textOf: (relative: string) => string | null;
  /** What is in the tree, where that is known already. */
  readonly inventory: TreeInventory | null;
}

/** Describes a release as it is now. Inventories of dependencies are written to where they belong. */
export async function describeContents(request: ContentsRequest): Promise<ReleaseContents> {
  const { home, tree, dependenciesHash, compiled, textOf } = request;
  const installed = dependenciesHash === null ? null : toInstalled(home, dependenciesHash);
  const { files, own } = request.inventory ?? (await inventoryTree(home, tree, textOf));
  const ownFile = path.join(path.dirname(tree), OWN_INVENTORY);
  return {
    files,
    compiled,
    installedHash:
      installed && existsSync(installed.directory) ? await ensureInventory(home, installed) : null,
    ownDependenciesHash: own === null ? null : await writeInventory(ownFile, own),
  };
}

export interface TreeInventory {
  readonly files: Inventory;
  /** What is in a `node_modules` of the tree itself; null where there is none. */
  readonly own: Inventory | null;
}

/** What is in a release's tree. */
export async function inventoryTree(
  home: Pick<Home, 'appDirectory'>,
  tree: string,
  textOf?: (relative: string) => string | null,
): Promise<TreeInventory> {
  const options = { isIncluded: isLoadable, toLink: toLinkText(home), ...(textOf && { textOf }) };
  const all = Object.entries(await takeInventory(tree, options));
  const { true: own, false: files = [] } = Object.groupBy(all, ([relative]) => `${isInPackages(relative)}`);
  return { files: Object.fromEntries(files), own: own === undefined ? null : Object.fromEntries(own) };
}

/** Links that Midflight has made lead to the app's own directory and what is kept there, wherever that is. */
function toLinkText({ appDirectory }: Pick<Home, 'appDirectory'>): (target: string) => string {
  return (target) =>
    target.startsWith(`${appDirectory}${path.sep}`) ? `{app}${target.slice(appDirectory.length)}` : target;
}

export interface InstalledDependencies {
  readonly directory: string;
  readonly inventoryFile: string;
}

/** Where the dependencies with a digest are installed. */
export function toInstalled(
  home: Pick<Home, 'dependencies'>,
  dependenciesHash: string,
): InstalledDependencies {
  const directory = path.join(home.dependencies, dependenciesHash);
  return { directory, inventoryFile: path.join(directory, INSTALLED_INVENTORY) };
}

/** What is installed in a folder of `deps/`. */
export async function inventoryInstalled(
  home: Pick<Home, 'appDirectory'>,
  { directory }: InstalledDependencies,
): Promise<Inventory> {
  const isIncluded = (relative: string): boolean =>
    !relative.startsWith(INSTALLED_INVENTORY) && isLoadable(relative);
  return takeInventory(directory, { isIncluded, toLink: toLinkText(home) });
}

/** Writes down what is installed, once; the digest of that. */
export async function ensureInventory(
  home: Pick<Home, 'appDirectory'>,
  installed: InstalledDependencies,
): Promise<string> {
  const { inventoryFile } = installed;
  if (existsSync(inventoryFile)) return digestOf(await readFile(inventoryFile));
  return writeInventory(inventoryFile, await inventoryInstalled(home, installed));
}

async function writeInventory(file: string, inventory: Inventory): Promise<string> {
  const text = JSON.stringify(inventory);
  const staging = `${file}.${process.pid}.tmp`;
  await writeFile(staging, text);
  await rename(staging, file);
  return digestOf(text);
}

function isInPackages(relative: string): boolean {
  return relative.split('/').slice(0, -1).includes('node_modules');
}

/** Tools keep caches beside packages, and package managers what they did and when: both change, and no program loads them by name. */
const changing =
  /(?:^|\/)node_modules\/\.(?:cache|vite|vite-temp|modules\.yaml|pnpm-workspace-state[^/]*|yarn-state\.yml|yarn-integrity|package-lock\.json)(?:\/|$)/;

/** Whether a manifest answers for what lies at a path; the rest is compared with nothing, and in no bundle. */
export function isLoadable(relative: string): boolean {
  return !changing.test(relative);
}
