/** Whether a release is on disk as it was built: every byte that is loaded or served from it, against its manifest. */

import { existsSync, readFileSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { parseManifest, type Inventory, type Manifest, type ReleaseContents } from '../protocol/manifest.ts';
import { createPauses } from '../protocol/pauses.ts';
import { fromStoredMap, MAPS_LINK, toMapName, toStoredMap } from '../protocol/source-map.ts';
import type { Home } from './home.ts';
import { digestOf } from './inventory.ts';
import { inventoryInstalled, inventoryTree, OWN_INVENTORY, toInstalled } from './release-contents.ts';

/** `unlisted`: the release is of an older Midflight and doesn't say what it has, so it can't be verified. */
export const fileProblems = ['missing', 'altered', 'unexpected', 'unlisted'] as const;
export type FileProblemKind = (typeof fileProblems)[number];

export interface FileProblem {
  readonly kind: FileProblemKind;
  /** Relative to `.midflight/`. */
  readonly path: string;
}

export interface Verification {
  readonly release: string;
  /** None is a release that is whole. */
  readonly problems: readonly FileProblem[];
  /** How many files and links were compared. */
  readonly fileCount: number;
}

/** What was found out for one release, and holds for others. */
export type SharedFindings = Map<string, Promise<readonly FileProblem[]>>;

/** Compares a release with its manifest. `findings` is for those who verify several: what they share is read once.
 *  Errors: ERR_MIDFLIGHT_RELEASE_UNKNOWN. */
export async function verifyRelease(
  home: Home,
  id: string,
  findings: SharedFindings = new Map(),
): Promise<Verification> {
  const directory = path.join(home.releases, id);
  const manifestFile = path.join(directory, 'manifest.json');
  if (id === '' || path.basename(id) !== id || !existsSync(manifestFile))
    throw new MidflightError('ERR_MIDFLIGHT_RELEASE_UNKNOWN', [id]);
  const name = `releases/${id}`;
  const only = (kind: FileProblemKind): Verification => ({
    release: id,
    problems: [{ kind, path: `${name}/manifest.json` }],
    fileCount: 0,
  });
  const manifest = await readManifest(manifestFile);
  if (manifest === 'outdated') return only('unlisted');
  if (manifest?.id !== id) return only('altered');
  const { contents } = manifest;
  if (contents === null) return only('unlisted');
  return { release: id, ...(await verifyContents(home, name, { manifest, contents }, findings)) };
}

/** Where releases are, or what is laid out as they are. */
export type ReleasePlace = Pick<Home, 'appDirectory' | 'releases' | 'store' | 'dependencies'>;

export interface Expected {
  readonly manifest: Pick<Manifest, 'id' | 'modules' | 'dependenciesHash'>;
  readonly contents: ReleaseContents;
}

/** Compares what is laid out as a release with what is expected there. `name` is what its problems are named by. */
export async function verifyContents(
  place: ReleasePlace,
  name: string,
  expected: Expected,
  findings: SharedFindings = new Map(),
): Promise<Omit<Verification, 'release'>> {
  const { contents } = expected;
  const parts = await Promise.all([
    verifyFolder(place, name, expected),
    verifyTree(place, name, expected),
    verifyStored(place, expected, findings),
    contents.installedHash === null ? [] : verifyInstalled(place, expected, findings),
  ]);
  const fileCount = Object.keys(contents.files).length + Object.keys(contents.compiled).length;
  return { problems: parts.flat(), fileCount };
}

/** Null for what is no manifest. */
async function readManifest(file: string): Promise<Manifest | 'outdated' | null> {
  try {
    return parseManifest(await readFile(file, 'utf8'));
  } catch (error) {
    // What can't be read as a manifest was altered, whatever the error.
    return error instanceof MidflightError ? 'outdated' : null;
  }
}

/** Beside the tree. */
const known = new Set(['app', 'manifest.json', 'statement.json', MAPS_LINK, OWN_INVENTORY]);

async function verifyFolder(
  home: ReleasePlace,
  name: string,
  { manifest: { id } }: Expected,
): Promise<readonly FileProblem[]> {
  const directory = path.join(home.releases, id);
  const names = await readdir(directory);
  const unexpected = names.filter((entry) => !known.has(entry));
  const problems: FileProblem[] = unexpected.map((entry) => ({
    kind: 'unexpected',
    path: `${name}/${entry}`,
  }));
  return [
    ...problems,
    ...(await verifyLink(path.join(directory, MAPS_LINK), `${name}/${MAPS_LINK}`, home.store)),
  ];
}

async function verifyTree(
  home: ReleasePlace,
  name: string,
  { manifest, contents }: Expected,
): Promise<readonly FileProblem[]> {
  const directory = path.join(home.releases, manifest.id);
  const { files, own } = await inventoryTree(home, path.join(directory, 'app'));
  const expectedOwn = await readInventory(path.join(directory, OWN_INVENTORY), contents.ownDependenciesHash);
  const ownProblems: readonly FileProblem[] =
    expectedOwn === null
      ? [{ kind: 'altered', path: `${name}/${OWN_INVENTORY}` }]
      : compare(expectedOwn, own ?? {}, `${name}/app`);
  return [...compare(contents.files, files, `${name}/app`), ...ownProblems];
}

/** Null where it is not the one with that digest; nothing is in it where none is expected. */
async function readInventory(file: string, hash: string | null): Promise<Inventory | null> {
  if (hash === null) return {};
  try {
    const text = await readFile(file, 'utf8');
    return digestOf(text) === hash ? (JSON.parse(text) as Inventory) : null;
  } catch {
    // Not there, or not readable: it can't be compared with.
    return null;
  }
}

async function verifyLink(file: string, name: string, target: string): Promise<readonly FileProblem[]> {
  try {
    const leadsTo = path.resolve(path.dirname(file), await readlink(file));
    return leadsTo === path.resolve(target) ? [] : [{ kind: 'altered', path: name }];
  } catch (error) {
    const isGone = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return [{ kind: isGone ? 'missing' : 'altered', path: name }];
  }
}

function compare(expected: Inventory, found: Inventory, name: string): FileProblem[] {
  const problems: FileProblem[] = [];
  const add = (kind: FileProblemKind, at: string): void =>
    void problems.push({ kind, path: `${name}/${at}` });
  for (const [at, entry] of Object.entries(expected)) {
    const there = found[at];
    if (there === undefined) add('missing', at);
    else if (toText(entry) !== toText(there)) add('altered', at);
  }
  for (const at of Object.keys(found)) if (!Object.hasOwn(expected, at)) add('unexpected', at);
  return problems;
}

function toText(entry: Inventory[string]): string {
  return 'link' in entry ? `-> ${entry.link}` : `${entry.hash} ${entry.sizeBytes} ${entry.mode}`;
}

async function verifyStored(
  home: ReleasePlace,
  { manifest, contents }: Expected,
  findings: SharedFindings,
): Promise<readonly FileProblem[]> {
  const problems: FileProblem[] = [];
  const pauses = createPauses();
  const look = async (
    { name, hash }: { readonly name: string; readonly hash: string | null | undefined },
    isRight: (content: Buffer) => boolean,
  ): Promise<void> => {
    await pauses.next();
    const key = `${name} ${hash}`;
    const found = findings.get(key) ?? Promise.resolve(readStored(home, name, isRight));
    findings.set(key, found);
    problems.push(...(await found));
  };
  for (const { hash, mapHash } of manifest.modules.values()) {
    const codeHash = Object.hasOwn(contents.compiled, hash) ? contents.compiled[hash] : null;
    await look({ name: `${hash}.js`, hash: codeHash }, (content) => digestOf(content) === codeHash);
    if (mapHash === undefined) continue;
    await look({ name: toMapName(mapHash), hash: mapHash }, (content) => isStoredMap(content, mapHash));
  }
  return problems;
}

function isStoredMap(content: Buffer, mapHash: string): boolean {
  const map = fromStoredMap(content.toString());
  return digestOf(map) === mapHash && content.equals(Buffer.from(toStoredMap(map)));
}

function readStored(
  home: ReleasePlace,
  name: string,
  isRight: (content: Buffer) => boolean,
): readonly FileProblem[] {
  const at = `store/${name}`;
  try {
    const isSame = path.basename(name) === name && isRight(readFileSync(path.join(home.store, name)));
    return isSame ? [] : [{ kind: 'altered', path: at }];
  } catch {
    return [{ kind: 'missing', path: at }];
  }
}

async function verifyInstalled(
  home: ReleasePlace,
  { manifest, contents }: Expected,
  findings: SharedFindings,
): Promise<readonly FileProblem[]> {
  const hash = manifest.dependenciesHash ?? '';
  const key = `deps/${hash} ${contents.installedHash}`;
  const found = findings.get(key) ?? compareInstalled(home, hash, contents.installedHash);
  findings.set(key, found);
  return found;
}

async function compareInstalled(
  home: ReleasePlace,
  hash: string,
  inventoryHash: string | null,
): Promise<readonly FileProblem[]> {
  const name = `deps/${hash}`;
  const installed = toInstalled(home, hash);
  if (path.basename(hash) !== hash || !existsSync(installed.directory))
    return [{ kind: 'missing', path: name }];
  const expected = await readInventory(installed.inventoryFile, inventoryHash);
  if (expected === null)
    return [{ kind: 'altered', path: `${name}/${path.basename(installed.inventoryFile)}` }];
  return compare(expected, await inventoryInstalled(home, installed), name);
}
