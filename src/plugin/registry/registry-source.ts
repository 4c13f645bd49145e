/** Versions of a plugin as a registry has them: compiled when they were published. Who opens one never loads the compiler. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import semver from 'semver';
import { MidflightError } from '../../errors.ts';
import { digestOf } from '../../release/inventory.ts';
import { watchFiles } from '../../release/watch-files.ts';
import type { PluginRelease } from '../plugin-release.ts';
import type { Need, PluginSource, WantedVersion } from '../plugin-source.ts';
import { openVersion } from './open-version.ts';
import { readPointer } from './pointer.ts';
import {
  requireName,
  requirePublished,
  requirePublishedVersion,
  toPluginFolder,
  toPointerFile,
  toRegistry,
  toVersionPlace,
  type Registry,
} from './registry.ts';

/** Errors: ERR_MIDFLIGHT_PLUGIN_NAME_INVALID. */
export function createRegistrySource(directory: string, name: string): PluginSource {
  return new RegistrySource(toRegistry(path.resolve(directory)), requireName(name));
}

class RegistrySource implements PluginSource {
  readonly key: string;
  readonly name: string;
  readonly #registry: Registry;
  #last: PluginRelease | null = null;

  constructor(registry: Registry, name: string) {
    this.key = `registry:${registry.directory}#${name}`;
    this.name = name;
    this.#registry = registry;
  }

  async load(wanted: WantedVersion): Promise<PluginRelease> {
    const version = chooseVersion(this.#registry, this.name, wanted);
    const last = this.#last;
    // What runs already was compared when it came.
    if (last !== null && last.version === version && last.digest === this.#digestOf(version)) return last;
    this.#last = await openVersion(this.#registry, { name: this.name, version });
    return this.#last;
  }

  sibling(name: string): PluginSource {
    return createRegistrySource(this.#registry.directory, name);
  }

  async watch(onChange: () => void): Promise<() => void> {
    const pointer = toPointerFile(this.#registry, this.name);
    const versions = path.join(toPluginFolder(this.#registry, this.name), 'any');
    return watchFiles({ files: () => [pointer, versions], onChange });
  }

  files(): readonly string[] {
    const version = this.#last?.version ?? null;
    return version === null
      ? []
      : [toVersionPlace(this.#registry, { name: this.name, version }).manifestFile];
  }

  /** Pointers and versions appear whole. */
  isSettled(): boolean {
    return true;
  }

  #digestOf(version: string): string {
    const { manifestFile } = toVersionPlace(this.#registry, { name: this.name, version });
    return digestOf(readFileSync(manifestFile));
  }
}

/** The version that is pinned; else that in use, if all can work with it; else the newest that all can.
 *  Errors: ERR_MIDFLIGHT_PLUGIN_UNKNOWN, ERR_MIDFLIGHT_PLUGIN_VERSION_UNKNOWN, ERR_MIDFLIGHT_PLUGIN_VERSION_UNSATISFIED. */
export function chooseVersion(registry: Registry, name: string, { pinned, needs }: WantedVersion): string {
  if (pinned !== null) {
    requirePublishedVersion(registry, { name, version: pinned });
    return pinned;
  }
  const versions = requirePublished(registry, name);
  const isFit = (version: string): boolean =>
    needs.every(({ range }) => range === null || semver.satisfies(version, range));
  const inUse = readPointer(registry, name)?.version ?? null;
  if (inUse !== null && versions.includes(inUse) && isFit(inUse)) return inUse;
  // One that is not said to be ready is for those who name it.
  const ready = versions.filter((version) => semver.prerelease(version) === null);
  const found = versions.find((version) => isFit(version) && (ready.includes(version) || asks(needs)));
  if (found !== undefined) return found;
  throw unsatisfied(name, versions, needs);
}

function asks(needs: readonly Need[]): boolean {
  return needs.some(({ range }) => range !== null);
}

function unsatisfied(name: string, versions: readonly string[], needs: readonly Need[]): MidflightError {
  const ranges = needs.filter(({ range }) => range !== null);
  const [first, ...others] = ranges;
  const rest = others.map(({ by, range }) => ` and ${by} needs ${range}`).join('');
  return new MidflightError('ERR_MIDFLIGHT_PLUGIN_VERSION_UNSATISFIED', [
    name,
    `published as ${versions.join(', ')}`,
    first === undefined
      ? 'one that is no prerelease; put one in use by "midflight plugin use"'
      : `${first.range}${rest}`,
    first?.by ?? 'the host',
  ]);
}
