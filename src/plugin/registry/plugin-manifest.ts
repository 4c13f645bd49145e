/** What a published version is made of, as data. The same content makes the same bytes: nothing in it says when or where. */

import { readFileSync } from 'node:fs';
import { MidflightError } from '../../errors.ts';
import { LayeredMap } from '../../protocol/layered-map.ts';
import {
  FORMAT_VERSION,
  type ManifestModule,
  type ManifestModules,
  type ReleaseContents,
} from '../../protocol/manifest.ts';
import { digestOf } from '../../release/inventory.ts';
import { toLabelOf, type VersionName, type VersionPlace } from './registry.ts';

/** What an export is; `arity` of functions and classes: how many arguments it needs at least. */
export interface PluginExport {
  readonly kind: string;
  readonly arity?: number;
}

export type PluginExports = Readonly<Record<string, PluginExport>>;

export interface PluginManifest extends VersionName {
  readonly pluginVersion: 1;
  /** Of the compiled code, as that of a release. */
  readonly formatVersion: number;
  readonly entry: string;
  /** Names and ranges. */
  readonly requires: Readonly<Record<string, string>>;
  /** What its entry exports; not what `setup` adds. */
  readonly exports: PluginExports;
  readonly modules: ManifestModules;
  readonly contents: ReleaseContents;
}

export function toManifestText(manifest: PluginManifest): string {
  return JSON.stringify({ ...manifest, modules: Object.fromEntries(manifest.modules) });
}

export interface ReadManifest {
  readonly manifest: PluginManifest;
  /** Hex sha256 of its bytes. */
  readonly digest: string;
}

/** Reads that of a published version.
 *  Errors: ERR_MIDFLIGHT_PLUGIN_ALTERED for what is none, or of another version; ERR_MIDFLIGHT_PLUGIN_INVALID of an older Midflight. */
export function readManifest(wanted: VersionName, { manifestFile }: VersionPlace): ReadManifest {
  const bytes = readFileSync(manifestFile);
  return { manifest: parseManifest(wanted, bytes.toString()), digest: digestOf(bytes) };
}

type Written = Omit<PluginManifest, 'modules'> & { readonly modules: Record<string, ManifestModule> };

export function parseManifest(wanted: VersionName, text: string): PluginManifest {
  const label = toLabelOf(wanted);
  const written = parseJson(text);
  const isIt = written?.name === wanted.name && written.version === wanted.version;
  if (written === null || !isIt || !isWhole(written))
    throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_ALTERED', [label, 'its manifest is not that of it']);
  if (written.pluginVersion !== 1 || written.formatVersion !== FORMAT_VERSION) {
    const problem = 'it was published by another version of Midflight; publish it again as a new version';
    throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_INVALID', [label, problem]);
  }
  return { ...written, modules: LayeredMap.of(Object.entries(written.modules)) };
}

/** What everybody relies on who reads one; the rest is compared with what there is. */
function isWhole({ modules, contents, requires, exports, entry }: Partial<Written>): boolean {
  const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;
  const objects = [modules, contents, contents?.files, contents?.compiled, requires, exports];
  return typeof entry === 'string' && objects.every(isObject);
}

function parseJson(text: string): Written | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? (value as Written | null) : null;
  } catch {
    // Whoever reads it says what it should have been.
    return null;
  }
}
