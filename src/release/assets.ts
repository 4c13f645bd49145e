/** The files of a release that are not modules: content by digest, so that a plan can tell what differs. */

import type { Inventory, ManifestAssets, ManifestModules } from '../protocol/manifest.ts';

/** Files that decide other parts of the manifest, which are compared on their own. */
const DESCRIBED_ELSEWHERE =
  /^(?:package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|yarn\.lock|bun\.lock|midflight\.config\.\w+)$/;

/** Those of a release's files that are assets. */
export function toAssets(files: Inventory, modules: ManifestModules): ManifestAssets {
  const assets = Object.entries(files).flatMap(([at, entry]) =>
    'link' in entry || modules.has(at) || DESCRIBED_ELSEWHERE.test(at)
      ? []
      : [[at, { hash: entry.hash, sizeBytes: entry.sizeBytes }] as const],
  );
  return Object.fromEntries(assets);
}
