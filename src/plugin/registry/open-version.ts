/** A published version, read to be run: nothing is given of one that is not what was published, or not signed where keys are trusted. */

import { MidflightError } from '../../errors.ts';
import { toLoadedRelease } from '../../runtime/loaded-release.ts';
import { verifyContents, type FileProblem } from '../../release/verify.ts';
import type { PluginRelease } from '../plugin-release.ts';
import { readManifest, type PluginManifest, type ReadManifest } from './plugin-manifest.ts';
import { toLabelOf, toVersionPlace, type Registry, type VersionName, type VersionPlace } from './registry.ts';
import { readRegistryTrust } from './registry-trust.ts';

/** Errors: ERR_MIDFLIGHT_PLUGIN_ALTERED, ERR_MIDFLIGHT_PLUGIN_UNSIGNED, ERR_MIDFLIGHT_STATEMENT_INVALID, ERR_MIDFLIGHT_TRUST_UNSAFE. */
export async function openVersion(registry: Registry, wanted: VersionName): Promise<PluginRelease> {
  const place = toVersionPlace(registry, wanted);
  const read = readManifest(wanted, place);
  await requireTrusted(registry, wanted, read, place);
  const problems = await compareVersion(place, read.manifest);
  const [first] = problems;
  if (first !== undefined) {
    const more = problems.length === 1 ? '' : `, and ${problems.length - 1} more`;
    const problem = `${first.path} is ${first.kind}${more}`;
    throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_ALTERED', [toLabelOf(wanted), problem]);
  }
  return toPluginRelease(registry, place, read);
}

/** As it runs; nothing is compared but each module's code when it is read. */
export function toPluginRelease(
  { store }: Pick<Registry, 'store'>,
  { root }: Pick<VersionPlace, 'root'>,
  { manifest, digest }: ReadManifest,
): PluginRelease {
  const { name, version, entry, modules, contents } = manifest;
  const id = `plugin ${toLabelOf(manifest)}`;
  const loaded = toLoadedRelease({ id, root, store }, { entry, modules, assets: {}, contents });
  return { name, version, digest, loaded };
}

async function requireTrusted(
  registry: Registry,
  wanted: VersionName,
  { digest }: ReadManifest,
  { manifestFile }: VersionPlace,
): Promise<void> {
  const trust = await readRegistryTrust(registry);
  if (trust === null) return;
  const { requireSigned } = await import('./plugin-statement.ts');
  const { readEnvelope } = await import('../../release/statement.ts');
  requireSigned(trust, readEnvelope(manifestFile), { ...wanted, digest });
}

/** Every byte of a version against its manifest. */
export async function compareVersion(
  { place, id, label }: VersionPlace,
  { modules, contents }: PluginManifest,
): Promise<readonly FileProblem[]> {
  const manifest = { id, modules, dependenciesHash: null };
  return (await verifyContents(place, label, { manifest, contents })).problems;
}
