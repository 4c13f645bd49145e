/** The files of a release that are not modules: content by digest, so that a plan can tell what differs. */

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { ManifestFile, ManifestModules } from '../protocol/manifest.ts';

/** Files that decide other parts of the manifest, which are compared on their own. */
const DESCRIBED_ELSEWHERE =
  /^(?:package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|yarn\.lock|bun\.lock|midflight\.config\.\w+)$/;

export async function collectAssets(
  root: string,
  modules: ManifestModules,
): Promise<Record<string, ManifestFile>> {
  const assets: Record<string, ManifestFile> = {};
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const relative = path.relative(root, path.join(entry.parentPath, entry.name)).split(path.sep).join('/');
    if (
      modules.has(relative) ||
      DESCRIBED_ELSEWHERE.test(relative) ||
      /(?:^|\/)node_modules\//.test(relative)
    )
      continue;
    const content = await readFile(path.join(root, relative));
    assets[relative] = {
      hash: createHash('sha256').update(content).digest('hex'),
      sizeBytes: content.length,
    };
  }
  return Object.fromEntries(Object.entries(assets).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
