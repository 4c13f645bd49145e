/** Whether a version of a module can take the place of the one before, while its importers stay as they are. */

import type { LiveExport, ManifestModule, ModuleHot } from './manifest.ts';

/** Says why `after` can't take the place of `before`, in one sentence; null where it can. */
export function whyNotInPlace(before: ManifestModule, after: ManifestModule): string | null {
  // Manifests of releases that were built earlier lack `hot`.
  const [old, next] = [before.hot ?? null, after.hot ?? null];
  if (!isBoundary(old)) return `${before.path} did not accept itself`;
  if (!isBoundary(next)) return `${after.path} does not accept itself`;
  return whyNotAccepted(old, next) ?? whyNotExports(before, after) ?? whyNotLive(old, next);
}

/** True for a module that accepts itself, wholly or for some of its exports, and does not decline. */
export function isBoundary(hot: ModuleHot | null): hot is ModuleHot {
  return acceptsItself(hot) && !hot.declines;
}

/** True for a module that accepts itself, wholly or for some of its exports, as far as its text tells. */
export function acceptsItself<Hot extends Pick<ModuleHot, 'acceptsSelf' | 'acceptedExports'>>(
  hot: Hot | null,
): hot is Hot {
  return hot !== null && (hot.acceptsSelf || hot.acceptedExports !== null);
}

function whyNotAccepted(old: ModuleHot, next: ModuleHot): string | null {
  const [was, is] = [old, next].map(({ acceptedExports }) => acceptedExports?.join(', ') ?? 'none');
  return was === is ? null : `the accepted exports are ${is}, were ${was}`;
}

/** What is gone may be in use. */
function whyNotExports(before: ManifestModule, after: ManifestModule): string | null {
  const [names, stars] = [new Set(exportNames(after)), new Set(after.starExports)];
  const name = exportNames(before).find((candidate) => !names.has(candidate));
  if (name !== undefined) return `the export ${name} is gone`;
  const star = before.starExports.find((candidate) => !stars.has(candidate));
  return star === undefined ? null : `export * from ${star} is gone`;
}

function exportNames({ localExports, indirectExports }: ManifestModule): string[] {
  return [...localExports, ...indirectExports.map(({ name }) => name)];
}

function whyNotLive(old: ModuleHot, next: ModuleHot): string | null {
  for (const was of old.live) {
    const is = next.live.find(({ name }) => name === was.name);
    const reason = is === undefined ? `${was.name} can no longer keep its identity` : whyNotSame(was, is);
    if (reason !== null) return reason;
  }
  return null;
}

function whyNotSame(was: LiveExport, is: LiveExport): string | null {
  if (was.kind !== is.kind) return `${is.name} is a ${is.kind}, was a ${was.kind}`;
  if (was.base !== is.base)
    return `the class ${is.name} extends ${is.base ?? 'nothing'}, extended ${was.base ?? 'nothing'}`;
  const missing = is.privates.find((name) => !isOnOldInstances(was, name));
  return missing === undefined ? null : `old instances of ${is.name} would lack ${missing}`;
}

/** An instance has its fields since it was made. A private method asks only for the mark that every class with private names leaves. */
function isOnOldInstances({ privates }: LiveExport, name: string): boolean {
  return name.endsWith('()') ? privates.length > 0 : privates.includes(name);
}
