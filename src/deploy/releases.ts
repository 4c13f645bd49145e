/** The releases on disk: reading them back, and removing those that nothing needs any more. */

import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { parseManifest } from '../protocol/manifest.ts';
import { toDigest } from '../release/statement.ts';
import { toReleaseLocation, type Home } from '../release/home.ts';
import { verifyRelease, type SharedFindings, type Verification } from '../release/verify.ts';
import type { RunnableRelease } from '../supervisor/process-host.ts';

/** Reads a release. Errors: ERR_MIDFLIGHT_RELEASE_UNKNOWN, ERR_MIDFLIGHT_RELEASE_OUTDATED. */
export async function readRelease(home: Home, id: string): Promise<RunnableRelease> {
  const location = toReleaseLocation(home, id);
  if (id === '' || path.basename(id) !== id || !existsSync(location.manifestFile)) {
    throw new MidflightError('ERR_MIDFLIGHT_RELEASE_UNKNOWN', [id]);
  }
  const bytes = await readFile(location.manifestFile);
  return { manifest: parseManifest(bytes.toString()), location: { ...location, digest: toDigest(bytes) } };
}

/** Ids of the releases that are whole, oldest first. */
export async function listReleases(home: Home): Promise<readonly string[]> {
  if (!existsSync(home.releases)) return [];
  const names = await readdir(home.releases);
  return names.filter((name) => !name.startsWith('.')).toSorted();
}

/** Compares every byte of a release, or of all that are kept, with its manifest. Errors: ERR_MIDFLIGHT_RELEASE_UNKNOWN. */
export async function verifyReleases(home: Home, id: string | null): Promise<readonly Verification[]> {
  const ids = id === null ? await listReleases(home) : [id];
  const findings: SharedFindings = new Map();
  const verifications: Verification[] = [];
  for (const each of ids) verifications.push(await verifyRelease(home, each, findings));
  return verifications;
}
