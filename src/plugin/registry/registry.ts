/**
 * The layout of a registry of plugins, `.midflight/plugins/` or a shared folder:
 *
 *   store/<hash>.js, .js.map          compiled modules, shared by all versions, as those of releases are
 *   versions/<name>/<version>/        app/ (the sources), manifest.json (every byte), statement.json, maps -> store
 *   pointers/<name>.json              the version in use, and those before it
 *   staging/, cache/, registry.lock   of whoever publishes
 *
 * Why so: docs/design/plugins/registry.md.
 */

import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import semver from 'semver';
import { MidflightError } from '../../errors.ts';
import type { ReleasePlace } from '../../release/verify.ts';

export interface Registry {
  readonly directory: string;
  readonly store: string;
  readonly versions: string;
  readonly pointers: string;
  readonly staging: string;
  readonly cache: string;
  readonly lock: string;
}

/** Paths only; nothing is created. */
export function toRegistry(directory: string): Registry {
  const inside = (name: string): string => path.join(directory, name);
  return {
    directory,
    store: inside('store'),
    versions: inside('versions'),
    pointers: inside('pointers'),
    staging: inside('staging'),
    cache: inside('cache'),
    lock: inside('registry.lock'),
  };
}

/** A version of a plugin, by name. */
export interface VersionName {
  readonly name: string;
  readonly version: string;
}

export const toLabelOf = ({ name, version }: VersionName): string => `${name}@${version}`;

/** As npm has them, and so that no two are one on a disk that knows no case. */
const plainName = /^(?:@[a-z\d][a-z\d._-]*\/)?[a-z\d][a-z\d._-]*$/;
const NAME_LENGTH_MAX = 214;
const VERSION_LENGTH_MAX = 128;

/** Whether a specifier can be a name of a registry; what begins with a dot or a slash is a path. */
export function isPluginName(name: string): boolean {
  return plainName.test(name) && name.length <= NAME_LENGTH_MAX;
}

/** Errors: ERR_MIDFLIGHT_PLUGIN_NAME_INVALID. */
export function requireName(name: string): string {
  if (isPluginName(name)) return name;
  const rule = `lower-case letters, digits, ".", "_" and "-", at most ${NAME_LENGTH_MAX}, and a scope if you like: "@acme/greet"`;
  throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_NAME_INVALID', ['name', name, rule]);
}

/** Errors: ERR_MIDFLIGHT_PLUGIN_NAME_INVALID. */
export function requireVersion(version: string): string {
  const isPlain = semver.valid(version) === version && version === version.toLowerCase();
  if (isPlain && version.length <= VERSION_LENGTH_MAX) return version;
  const rule =
    'a semantic version such as 1.2.0 or 2.0.0-beta.1, in lower case, and nothing before or after it';
  throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_NAME_INVALID', ['version', version, rule]);
}

/** Reads `greet@1.2.0`. Errors: ERR_MIDFLIGHT_PLUGIN_NAME_INVALID. */
export function parseVersionName(text: string): VersionName {
  const at = text.lastIndexOf('@');
  if (at <= 0) {
    const rule = 'a name and a version: "greet@1.2.0"';
    throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_NAME_INVALID', ['version', text, rule]);
  }
  return { name: requireName(text.slice(0, at)), version: requireVersion(text.slice(at + 1)) };
}

/** The folder of a name: no name has a `+`. */
const toFolder = (name: string): string => requireName(name).replace('/', '+');

/** Where the versions of one plugin are. */
export function toPluginFolder(registry: Registry, name: string): string {
  return path.join(registry.versions, toFolder(name));
}

export function toPointerFile(registry: Registry, name: string): string {
  return path.join(registry.pointers, `${toFolder(name)}.json`);
}

export interface VersionPlace {
  readonly id: string;
  /** What has it, its compiled code, and nothing else. */
  readonly place: ReleasePlace;
  readonly folder: string;
  readonly root: string;
  readonly manifestFile: string;
  /** Its path for people, below the registry. */
  readonly label: string;
}

/** Where the files of a version are; in the folder of its plugin where no other is said. */
export function toVersionPlace(
  registry: Registry,
  { name, version }: VersionName,
  plugin = toPluginFolder(registry, name),
): VersionPlace {
  const folder = path.join(plugin, requireVersion(version));
  return {
    id: version,
    place: {
      appDirectory: path.join(folder, 'app'),
      releases: plugin,
      store: registry.store,
      dependencies: path.join(folder, 'none'),
    },
    folder,
    root: path.join(folder, 'app'),
    manifestFile: path.join(folder, 'manifest.json'),
    label: path.relative(registry.directory, folder).split(path.sep).join('/'),
  };
}

/** The names that have been published, sorted. */
export function listNames(registry: Registry): string[] {
  const folders = existsSync(registry.versions) ? readdirSync(registry.versions) : [];
  const names = folders.map((folder) => folder.replace('+', '/')).filter(isPluginName);
  return names.filter((name) => listVersions(registry, name).length > 0).toSorted();
}

/** The published versions of a plugin, newest first. One without a manifest is none: it is whole or not there. */
export function listVersions(registry: Registry, name: string): string[] {
  const folder = toPluginFolder(registry, name);
  const entries = existsSync(folder) ? readdirSync(folder) : [];
  const found = entries.filter(
    (entry) => semver.valid(entry) === entry && existsSync(path.join(folder, entry, 'manifest.json')),
  );
  return semver.rsort(found);
}

/** Errors: ERR_MIDFLIGHT_PLUGIN_UNKNOWN. */
export function requirePublished(registry: Registry, name: string): string[] {
  const versions = listVersions(registry, name);
  if (versions.length > 0) return versions;
  const names = listNames(registry);
  const there = names.length === 0 ? 'is none yet' : `are ${names.join(', ')}`;
  const hint = `${there}. To open a file, write "./${name}"`;
  throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_UNKNOWN', [name, registry.directory, hint]);
}

/** Errors: ERR_MIDFLIGHT_PLUGIN_UNKNOWN, ERR_MIDFLIGHT_PLUGIN_VERSION_UNKNOWN. */
export function requirePublishedVersion(registry: Registry, { name, version }: VersionName): void {
  const versions = requirePublished(registry, name);
  if (versions.includes(requireVersion(version))) return;
  const there = `are ${versions.join(', ')}`;
  throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_VERSION_UNKNOWN', [name, version, there]);
}
