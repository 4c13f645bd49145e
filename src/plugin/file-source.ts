/** Versions of a plugin as its file, or its folder, has them: compiled here, in memory, by the same transform as a release. */

import { createHash } from 'node:crypto';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import type { ManifestModules } from '../protocol/manifest.ts';
import { toInlineMap } from '../protocol/source-map.ts';
import type { ModuleIndex } from '../release/module-index.ts';
import type { LoadedRelease } from '../runtime/loaded-release.ts';
import { listFolder } from './folder-listing.ts';
import { findPluginFile, readPluginPackage, type PluginFile, type PluginPackage } from './plugin-file.ts';
import type { PluginRelease } from './plugin-release.ts';
import type { PluginSource } from './plugin-source.ts';

/** The plugin at a file or a folder. A folder starts with `main` of its `package.json`, else its index.
 *  Errors: ERR_MIDFLIGHT_PLUGIN_UNKNOWN. */
export function createFileSource(location: string): PluginSource {
  return new FileSource(findPluginFile(location));
}

class FileSource implements PluginSource {
  readonly key: string;
  readonly name: string;
  readonly #file: PluginFile;
  #index: ModuleIndex | null = null;
  #entry = '';
  /** Where it starts and what its package says, as `load` has found it last. */
  #head: string | null = null;
  /** All that there was of a folder that `load` could not read: what it lacks may come anywhere in it. */
  #lacking: string | null = null;

  constructor(file: PluginFile) {
    this.key = `file:${file.location}`;
    this.#file = file;
    this.name = (file.isFolder ? this.#findName() : null) ?? path.parse(file.location).name;
  }

  async load(): Promise<PluginRelease> {
    this.#head = this.#readHead();
    const all = this.#listAll();
    try {
      const release = await this.#compile();
      this.#lacking = null;
      return release;
    } catch (error) {
      this.#lacking = all;
      throw error;
    }
  }

  async #compile(): Promise<PluginRelease> {
    const entry = this.#file.findEntry();
    if (this.#index === null || entry !== this.#entry) {
      // Who opens no plugin from source never loads the compiler.
      const { createModuleIndex } = await import('../release/module-index.ts');
      this.#index = createModuleIndex({ root: this.#file.root, entry });
      this.#entry = entry;
    }
    const index = this.#index;
    const { modules, problems } = await index.update();
    if (problems[0] !== undefined) throw problems[0];
    if ((index.textOf(index.entry) ?? '').trim() === '')
      throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_INVALID', [this.name, `${entry} is empty`]);
    const version = this.#file.isFolder ? this.#package().version : null;
    const digest = digestOf(modules, version);
    return { name: this.name, version, digest, loaded: this.#toLoaded(digest, modules, index) };
  }

  sibling(name: string): PluginSource {
    return createFileSource(path.join(path.dirname(this.#file.location), name));
  }

  async watch(onChange: () => void): Promise<() => void> {
    const { watchFiles } = await import('../release/watch-files.ts');
    return watchFiles({ files: () => this.files(), onChange });
  }

  isSettled(): boolean {
    if (this.#head !== null && this.#head !== this.#readHead()) return false;
    if (this.#lacking !== null && this.#lacking !== this.#listAll()) return false;
    const index = this.#index;
    const isSame = (file: string): boolean =>
      index?.isUnchanged(path.relative(this.#file.root, file)) !== false;
    return index === null || this.files().every(isSame);
  }

  files(): readonly string[] {
    const { root, isFolder } = this.#file;
    const modules = [...(this.#index?.modules.keys() ?? [])].map((at) => path.join(root, at));
    const own = isFolder ? [path.join(root, 'package.json')] : [];
    const folders = this.#lacking === null || !isFolder ? [] : listFolder(root).folders;
    const lacking = folders.map((folder) => path.join(folder, 'any'));
    return [...new Set([path.join(root, this.#entry), ...modules, ...own, ...lacking])];
  }

  #listAll(): string {
    return this.#file.isFolder ? listFolder(this.#file.root).stamps : '';
  }

  #readHead(): string {
    try {
      return JSON.stringify([this.#file.findEntry(), this.#file.isFolder ? this.#package() : null]);
    } catch (error) {
      return String(error);
    }
  }

  #toLoaded(digest: string, modules: ManifestModules, index: ModuleIndex): LoadedRelease {
    return {
      id: `plugin ${this.name} ${digest.slice(0, 8)}`,
      root: this.#file.root,
      manifest: { entry: index.entry, modules, assets: {} },
      readCompiled: (module) => index.compiledOf(module).code,
      findMap: (module) => {
        const { map } = index.compiledOf(module);
        return map === null
          ? null
          : { url: toInlineMap(map, path.join(this.#file.root, module.path)), read: () => map };
      },
    };
  }

  #findName(): string | null {
    try {
      return this.#package().name;
    } catch {
      // `load` says so.
      return null;
    }
  }

  #package(): PluginPackage {
    return readPluginPackage(this.#file.root);
  }
}

function digestOf(modules: ManifestModules, version: string | null): string {
  const hash = createHash('sha256').update(`${version}\n`);
  for (const [at, module] of [...modules].toSorted(([left], [right]) => (left < right ? -1 : 1)))
    hash.update(`${at} ${module.hash}\n`);
  return hash.digest('hex');
}
