/**
 * A version is published: staged, compiled, evaluated, compared with the one before it, then renamed into place.
 *
 * 1. A version appears whole, by one rename, and never changes; only signatures are added to it.
 * 2. What is left of a publisher that was killed is named by nothing, is opened by nobody, and goes with the next change.
 * 3. What is compiled, evaluated and compared is what is published: the staged tree, at the depth where it will be.
 */

import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import semver from 'semver';
import { MidflightError } from '../../errors.ts';
import { FORMAT_VERSION } from '../../protocol/manifest.ts';
import { MAPS_LINK, toMapName, toStoredMap } from '../../protocol/source-map.ts';
import { compileModules } from '../../release/compile-modules.ts';
import { digestOf } from '../../release/inventory.ts';
import { describeContents } from '../../release/release-contents.ts';
import type { Envelope } from '../../release/dsse.ts';
import { readSigningKey, type SigningKey } from '../../release/signing-key.ts';
import { readEnvelope, writeEnvelope } from '../../release/statement.ts';
import { compareVersions, findPredecessor, nextBreaking, type Compatibility } from './compatibility.ts';
import { describeVersion, type Description } from './describe-version.ts';
import { fetchPackage } from './npm-package.ts';
import { compareVersion, openVersion } from './open-version.ts';
import { readManifest, toManifestText, type PluginManifest } from './plugin-manifest.ts';
import { requireSigned, signVersion } from './plugin-statement.ts';
import { pointTo, readPointer, writePointer } from './pointer.ts';
import {
  listVersions,
  requireName,
  requireVersion,
  toLabelOf,
  toPluginFolder,
  toVersionPlace,
  type Registry,
  type VersionName,
} from './registry.ts';
import { readRegistryTrust } from './registry-trust.ts';
import { takeRegistryTurn } from './registry-turn.ts';
import { stageTree, type Staged } from './stage-tree.ts';

export type PublishStep = 'fetch' | 'stage' | 'compile' | 'evaluate' | 'compare' | 'place' | 'use';

export interface PublishRequest {
  readonly registry: Registry;
  /** A file, a folder, or `npm:` and what `npm pack` takes. */
  readonly source: string;
  /** What the plugin does not say itself. */
  readonly name?: string | undefined;
  readonly version?: string | undefined;
  /** Files of private keys. */
  readonly keyFiles: readonly string[];
  /** Whether it is the version in use from now on. */
  readonly isUsed: boolean;
  readonly onStep?: (step: PublishStep) => void;
}

export interface Published extends VersionName {
  /** Hex sha256 of its manifest. */
  readonly digest: string;
  readonly result: 'published' | 'unchanged';
  /** Whether it is the one in use. */
  readonly inUse: boolean;
  /** Ids of the keys that have signed it now. */
  readonly signers: readonly string[];
  /** What it was compared with; null where nothing was before it. */
  readonly compared: {
    readonly version: string;
    readonly by: 'types' | 'shape';
    readonly reason: string | null;
  } | null;
}

/** Errors: ERR_MIDFLIGHT_PLUGIN_UNKNOWN, _INVALID, _NAME_INVALID, _PUBLISHED, _BREAKING, _UNSIGNED, _FETCH_FAILED, _REGISTRY_LOCKED,
 *  ERR_MIDFLIGHT_SYNTAX and those of links, ERR_MIDFLIGHT_KEY_INVALID. */
export async function publishPlugin(request: PublishRequest): Promise<Published> {
  const keys = request.keyFiles.map(readSigningKey);
  return takeRegistryTurn(request.registry, async () => new Publishing(request, keys).run());
}

interface Built {
  readonly manifest: PluginManifest;
  readonly text: string;
  readonly digest: string;
}

class Publishing {
  readonly #request: PublishRequest;
  readonly #keys: readonly SigningKey[];
  /** As deep as the folder of a plugin. */
  readonly #staging: string;
  readonly #tree: string;

  constructor(request: PublishRequest, keys: readonly SigningKey[]) {
    this.#request = request;
    this.#keys = keys;
    this.#staging = path.join(request.registry.staging, String(process.pid));
    this.#tree = path.join(this.#staging, 'version', 'app');
  }

  async run(): Promise<Published> {
    const staged = await this.#stage();
    const built = await this.#build(staged);
    const { name, version } = built.manifest;
    const isThere = listVersions(this.#request.registry, name).includes(version);
    if (isThere) this.#requireSame(built);
    const compared = isThere ? null : await this.#compare(built.manifest);
    const envelope = await this.#sign(built);
    this.#step('place');
    const { manifestFile } = toVersionPlace(this.#request.registry, { name, version });
    if (!isThere) await this.#place(built, envelope);
    else if (envelope !== null) writeEnvelope(manifestFile, envelope);
    this.#step('use');
    const inUse = await this.#use({ name, version });
    return {
      name,
      version,
      digest: built.digest,
      result: isThere ? 'unchanged' : 'published',
      inUse,
      signers: this.#keys.map(({ id }) => id),
      compared,
    };
  }

  #step(step: PublishStep): void {
    this.#request.onStep?.(step);
  }

  async #stage(): Promise<Staged> {
    const { source } = this.#request;
    mkdirSync(this.#staging, { recursive: true });
    const isPackage = source.startsWith('npm:');
    if (isPackage) this.#step('fetch');
    const from = isPackage ? await fetchPackage(source.slice('npm:'.length), this.#staging) : source;
    this.#step('stage');
    try {
      return await stageTree(from, this.#tree, { hasPackages: isPackage });
    } catch (error) {
      // Where it lay for a moment says nothing to anybody.
      if (!isPackage || !(error instanceof MidflightError) || error.code !== 'ERR_MIDFLIGHT_PLUGIN_UNKNOWN')
        throw error;
      const problem = `there ${error.details[2] ?? 'is no entry in it'}; name one by "main" in its package.json`;
      throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_INVALID', [source, problem], { cause: error });
    }
  }

  async #build({ entry, name, version }: Staged): Promise<Built> {
    this.#step('compile');
    const { modules, contents } = await this.#compile(entry);
    this.#step('evaluate');
    const parts = { pluginVersion: 1, formatVersion: FORMAT_VERSION, entry, modules, contents } as const;
    // Until it has said how it is called, it is called so.
    const asIs = { ...parts, name: 'plugin', version: '0.0.0', requires: {}, exports: {} };
    const said = await describeVersion({
      label: this.#request.source,
      root: this.#tree,
      store: this.#request.registry.store,
      manifest: toManifestText(asIs),
    });
    requireRanges(this.#request.source, said);
    const named = settleName(this.#request, said, { name, version });
    const manifest = { ...parts, ...named, requires: said.requires, exports: said.exports };
    const text = toManifestText(manifest);
    return { manifest, text, digest: digestOf(text) };
  }

  async #compile(entry: string): Promise<Pick<PluginManifest, 'modules' | 'contents'>> {
    const { store } = this.#request.registry;
    mkdirSync(store, { recursive: true });
    const compiled: Record<string, string> = {};
    const { modules, problems, textOf } = await compileModules({
      root: this.#tree,
      entry,
      writeCompiled: async (hash, code) => {
        compiled[hash] = digestOf(code);
        await writeStored(path.join(store, `${hash}.js`), code);
      },
      writeMap: async (hash, map) => writeStored(path.join(store, toMapName(hash)), toStoredMap(map)),
    });
    if (problems[0] !== undefined) throw problems[0];
    if ((textOf(entry) ?? '').trim() === '')
      throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_INVALID', [this.#request.source, `${entry} is empty`]);
    const place = { appDirectory: this.#tree, dependencies: this.#staging };
    const described = { home: place, tree: this.#tree, dependenciesHash: null, inventory: null, textOf };
    return { modules, contents: await describeContents({ ...described, compiled }) };
  }

  /** Errors: ERR_MIDFLIGHT_PLUGIN_PUBLISHED. */
  #requireSame({ manifest, digest }: Built): void {
    const place = toVersionPlace(this.#request.registry, manifest);
    if (readManifest(manifest, place).digest !== digest)
      throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_PUBLISHED', [toLabelOf(manifest)]);
  }

  async #compare(manifest: PluginManifest): Promise<Published['compared']> {
    const { registry } = this.#request;
    const { name, version } = manifest;
    const before = findPredecessor(listVersions(registry, name), version);
    if (before === null) return null;
    this.#step('compare');
    const place = toVersionPlace(registry, { name, version: before });
    const old = readManifest({ name, version: before }, place).manifest;
    const found = await compareVersions(
      { manifest: old, root: place.root },
      { manifest, root: this.#tree },
      registry.cache,
    );
    requireCompatible(manifest, before, found);
    return { version: before, by: found.by, reason: found.reason };
  }

  async #sign({ manifest: { name, version }, digest }: Built): Promise<Envelope | null> {
    const { registry, isUsed } = this.#request;
    const claim = { name, version, digest };
    const { manifestFile } = toVersionPlace(registry, claim);
    const envelope = signVersion(claim, this.#keys, readEnvelope(manifestFile));
    const trust = isUsed ? await readRegistryTrust(registry) : null;
    if (trust !== null) requireSigned(trust, envelope, claim);
    return this.#keys.length === 0 ? null : envelope;
  }

  /** With its signatures: a host may find it at once, also where it is not in use. */
  async #place({ manifest, text }: Built, envelope: Envelope | null): Promise<void> {
    const { registry, source } = this.#request;
    const place = toVersionPlace(registry, manifest, this.#staging);
    const staged = place.folder;
    renameSync(path.join(this.#staging, 'version'), staged);
    writeFileSync(place.manifestFile, text, { flush: true });
    if (envelope !== null) writeEnvelope(place.manifestFile, envelope);
    symlinkSync(path.relative(staged, registry.store), path.join(staged, MAPS_LINK));
    const [differing] = await compareVersion(place, manifest);
    if (differing !== undefined) {
      const file = path.relative(`${place.label}/app`, differing.path);
      const problem = `it changes its own files when it is evaluated: ${file} is ${differing.kind}`;
      throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_INVALID', [source, problem]);
    }
    const plugin = toPluginFolder(registry, manifest.name);
    mkdirSync(plugin, { recursive: true });
    // Hosts watch it from the start.
    mkdirSync(registry.pointers, { recursive: true });
    const target = path.join(plugin, manifest.version);
    // What has no manifest is half of what somebody has copied there.
    if (!existsSync(path.join(target, 'manifest.json'))) rmSync(target, { recursive: true, force: true });
    renameSync(staged, target);
  }

  async #use({ name, version }: VersionName): Promise<boolean> {
    const { registry, isUsed } = this.#request;
    const before = readPointer(registry, name);
    if (!isUsed) return before?.version === version;
    await openVersion(registry, { name, version });
    // Also where it says so already: a host that has refused it looks again.
    writePointer(registry, name, pointTo(before, version));
    return true;
  }
}

/** What others name is written whole; what is there already is the same, or is mended. */
async function writeStored(file: string, text: string): Promise<void> {
  const staging = `${file}.${process.pid}.tmp`;
  await writeFile(staging, text, { flush: true });
  renameSync(staging, file);
}

/** The command line says what the plugin does not; two that say different things are refused. A folder's package.json may have
 *  another name. Errors: ERR_MIDFLIGHT_PLUGIN_INVALID, ERR_MIDFLIGHT_PLUGIN_NAME_INVALID. */
function settleName(
  { source, name, version }: PublishRequest,
  said: Description,
  staged: Pick<Staged, 'name' | 'version'>,
): VersionName {
  const versions = [version, said.version, staged.version].filter((each) => typeof each === 'string');
  const names = [name, said.name].filter((each) => typeof each === 'string');
  for (const [kind, texts] of Object.entries({ name: names, version: versions }))
    if (new Set(texts).size > 1) {
      const problem = `two ${kind}s are said, ${texts.join(' and ')}; make them one in definePlugin(), package.json and --${kind}`;
      throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_INVALID', [source, problem]);
    }
  if (versions[0] === undefined) {
    const problem =
      'it says no version; say one in definePlugin(), in package.json or by --version <version>';
    throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_INVALID', [source, problem]);
  }
  return { name: requireName(names[0] ?? staged.name ?? ''), version: requireVersion(versions[0]) };
}

function requireRanges(source: string, { requires }: Description): void {
  for (const [name, range] of Object.entries(requires)) {
    requireName(name);
    if (semver.validRange(range) !== null) continue;
    const problem = `it requires ${name} as "${range}", which is no range of versions`;
    throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_INVALID', [source, problem]);
  }
}

function requireCompatible(manifest: VersionName, before: string, { breaches }: Compatibility): void {
  if (breaches.length === 0) return;
  const label = toLabelOf(manifest);
  const problems = breaches.map(({ name, problem }) => `"${name}" ${problem.replace(/\.$/, '')}`).join('; ');
  throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_BREAKING', [label, before, problems, nextBreaking(before)]);
}
