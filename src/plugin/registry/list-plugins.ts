/** What a registry has, for people and programs; and whether every byte of it is as it was published. */

import { toFailure } from '../../errors.ts';
import type { FileProblem } from '../../release/verify.ts';
import { compareVersion } from './open-version.ts';
import { readManifest, type PluginExports } from './plugin-manifest.ts';
import { readSignatures, type Signature } from './plugin-statement.ts';
import { readPointer } from './pointer.ts';
import { listNames, requirePublished, toVersionPlace, type Registry, type VersionName } from './registry.ts';
import { readRegistryTrust } from './registry-trust.ts';

export interface ListedPlugin {
  readonly name: string;
  /** The version in use; null where none is. */
  readonly version: string | null;
  /** Newest first. */
  readonly versions: readonly string[];
}

/** Errors: ERR_MIDFLIGHT_PLUGIN_REGISTRY_INVALID. */
export function listPlugins(registry: Registry): ListedPlugin[] {
  return listNames(registry).map((name) => toListed(registry, name));
}

function toListed(registry: Registry, name: string): ListedPlugin {
  const versions = requirePublished(registry, name);
  return { name, version: readPointer(registry, name)?.version ?? null, versions };
}

export interface VersionInfo {
  readonly version: string;
  readonly inUse: boolean;
  /** Hex sha256 of its manifest. */
  readonly digest: string;
  readonly signatures: readonly Signature[];
  readonly requires: Readonly<Record<string, string>>;
  readonly exports: PluginExports;
}

export interface PluginInfo extends Omit<ListedPlugin, 'versions'> {
  /** Those that were in use before, the last first. */
  readonly before: readonly string[];
  readonly versions: readonly (VersionInfo | { readonly version: string; readonly problem: string })[];
}

/** Errors: ERR_MIDFLIGHT_PLUGIN_UNKNOWN, ERR_MIDFLIGHT_PLUGIN_REGISTRY_INVALID, ERR_MIDFLIGHT_TRUST_UNSAFE. */
export async function describePlugin(registry: Registry, name: string): Promise<PluginInfo> {
  const { versions, version } = toListed(registry, name);
  const trust = await readRegistryTrust(registry);
  const infos = versions.map((each) => {
    try {
      const place = toVersionPlace(registry, { name, version: each });
      const { manifest, digest } = readManifest({ name, version: each }, place);
      const signatures = readSignatures(place.manifestFile, { name, version: each, digest }, trust);
      const { requires, exports } = manifest;
      return { version: each, inUse: each === version, digest, signatures, requires, exports };
    } catch (error) {
      return { version: each, problem: toFailure(error).message };
    }
  });
  return { name, version, before: readPointer(registry, name)?.before ?? [], versions: infos };
}

export interface PluginVerification extends VersionName {
  readonly problems: readonly FileProblem[];
}

/** Every byte of all versions of one plugin, or of all. Errors: ERR_MIDFLIGHT_PLUGIN_UNKNOWN. */
export async function verifyPlugins(registry: Registry, name: string | null): Promise<PluginVerification[]> {
  const found: PluginVerification[] = [];
  for (const each of name === null ? listNames(registry) : [name])
    for (const version of requirePublished(registry, each))
      found.push({ name: each, version, problems: await verifyOne(registry, { name: each, version }) });
  return found;
}

async function verifyOne(registry: Registry, wanted: VersionName): Promise<readonly FileProblem[]> {
  const place = toVersionPlace(registry, wanted);
  try {
    return await compareVersion(place, readManifest(wanted, place).manifest);
  } catch {
    // Its own bytes are what can't be read.
    return [{ kind: 'altered', path: `${place.label}/manifest.json` }];
  }
}
