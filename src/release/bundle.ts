/**
 * One file with a whole release: a tar of what `.midflight/` has of it, under the same names, compressed by zstd. The same release makes
 * the same bytes. Why so: docs/design/release/design.md#bundles.
 */

import { createHash } from 'node:crypto';
import { existsSync, lstatSync } from 'node:fs';
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import { packTar, type TarSource } from 'modern-tar/fs';
import { z } from 'zod';
import { MidflightError } from '../errors.ts';
import { parseManifest, type Manifest } from '../protocol/manifest.ts';
import { MAPS_LINK, toMapName } from '../protocol/source-map.ts';
import type { Home } from './home.ts';
import { explainDiskProblem } from './disk-problem.ts';
import { detectPlatform, platformSchema } from './platform.ts';
import { isLoadable } from './release-contents.ts';

/** The first entry of a bundle. */
export const BUNDLE_FILE = 'bundle.json';
const COMPRESSION_LEVEL = 9;

export const bundleSchema = z.strictObject({
  bundleVersion: z.literal(1),
  release: z.string().regex(/^[\w-]+$/),
  /** Of the manifest's bytes. */
  digest: z.string().regex(/^sha256:[\da-f]{64}$/),
  /** Whether installed dependencies are in it; `lockfile`: they are installed where it is deployed. */
  dependencies: z.enum(['included', 'lockfile']),
  /** Where native addons in it run; null where it has none. */
  platform: platformSchema.nullable(),
});

export type BundleDescription = z.output<typeof bundleSchema>;

export interface BundleOptions {
  readonly home: Home;
  readonly release: string;
  readonly out: string;
  readonly hasDependencies: boolean;
}

export interface WrittenBundle extends BundleDescription {
  readonly file: string;
  readonly sizeBytes: number;
}

/** Writes the file, whole or not at all. Errors: ERR_MIDFLIGHT_RELEASE_UNKNOWN, ERR_MIDFLIGHT_RELEASE_OUTDATED. */
export async function writeBundle({
  home,
  release,
  out,
  hasDependencies,
}: BundleOptions): Promise<WrittenBundle> {
  const folder = path.posix.join('releases', release);
  const manifestFile = path.join(home.releases, release, 'manifest.json');
  if (path.basename(release) !== release || !existsSync(manifestFile))
    throw new MidflightError('ERR_MIDFLIGHT_RELEASE_UNKNOWN', [release]);
  const bytes = await readFile(manifestFile);
  const manifest = parseManifest(bytes.toString());
  const names = await listFiles(home, manifest, { folder, hasDependencies });
  const hasAddons = names.some((name) => name.endsWith('.node'));
  const description: BundleDescription = {
    bundleVersion: 1,
    release,
    digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
    dependencies: hasDependencies ? 'included' : 'lockfile',
    platform: hasAddons ? detectPlatform() : null,
  };
  const sizeBytes = await pack(home, out, { description, names, mtime: new Date(manifest.createdAt) });
  return { ...description, file: out, sizeBytes };
}

interface Packed {
  readonly description: BundleDescription;
  readonly names: readonly string[];
  readonly mtime: Date;
}

async function pack(home: Home, out: string, { description, names, mtime }: Packed): Promise<number> {
  const owner = { mtime, uid: 0, gid: 0, uname: '', gname: '' };
  const sources: TarSource[] = names.map((name) => ({
    ...owner,
    type: 'file',
    source: path.join(home.directory, name),
    target: name,
  }));
  const content = `${JSON.stringify(description)}\n`;
  sources.unshift({ ...owner, type: 'content', content, target: BUNDLE_FILE, mode: 0o644 });
  const staging = `${out}.${process.pid}.tmp`;
  const zstd = createZstdCompress({
    params: { [constants.ZSTD_c_compressionLevel]: COMPRESSION_LEVEL, [constants.ZSTD_c_checksumFlag]: 1 },
  });
  try {
    await pipeline(packTar(sources), zstd, createWriteStream(staging));
    await rename(staging, out);
  } catch (error) {
    await rm(staging, { force: true });
    throw explainDiskProblem(error, path.dirname(out));
  }
  return lstatSync(out).size;
}

/** What a release has in the store, by path below `.midflight/`. */
export function toStoredNames({ modules }: Manifest): ReadonlySet<string> {
  const names = [...modules.values()].flatMap(({ hash, mapHash }) => [
    `store/${hash}.js`,
    ...(mapHash === undefined ? [] : [`store/${toMapName(mapHash)}`]),
  ]);
  return new Set(names);
}

/** All that belongs to a release by path below `.midflight/`, sorted; without the links that are made where it is deployed. */
async function listFiles(
  home: Home,
  manifest: Manifest,
  { folder, hasDependencies }: { readonly folder: string; readonly hasDependencies: boolean },
): Promise<readonly string[]> {
  const links = [
    MAPS_LINK,
    ...manifest.settings.shared.map((name) => path.posix.join('app', manifest.appFolder ?? '', name)),
  ];
  if (
    lstatSync(path.join(home.directory, folder, 'app/node_modules'), {
      throwIfNoEntry: false,
    })?.isSymbolicLink() === true
  )
    links.push('app/node_modules');
  const made = new Set(links.map((name) => path.posix.join(folder, name).replace(/\/$/, '')));
  const isWanted = (name: string): boolean =>
    isLoadable(name) && !made.has(name) && (hasDependencies || !name.split('/').includes('node_modules'));
  const { dependenciesHash } = manifest;
  const installed = dependenciesHash === null ? null : `deps/${dependenciesHash}`;
  const isInstalled =
    installed !== null && hasDependencies && existsSync(path.join(home.directory, installed));
  const names = [
    ...(await walk(home.directory, folder, isWanted)),
    ...toStoredNames(manifest),
    ...(isInstalled ? await walk(home.directory, installed, isLoadable) : []),
  ];
  return names.toSorted();
}

async function walk(root: string, folder: string, isWanted: (name: string) => boolean): Promise<string[]> {
  const entries = await readdir(path.join(root, folder), { withFileTypes: true });
  const found = entries.map(async (entry) => {
    const name = `${folder}/${entry.name}`;
    if (!isWanted(name)) return [];
    if (entry.isDirectory()) return walk(root, name, isWanted);
    return entry.isFile() || entry.isSymbolicLink() ? [name] : [];
  });
  return (await Promise.all(found)).flat();
}
