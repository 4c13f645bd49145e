/** Versions of a plugin as its file, or its folder, has them: compiled here, in memory, by the same transform as a release. */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import type { ManifestModules } from '../protocol/manifest.ts';
import { toInlineMap } from '../protocol/source-map.ts';
import type { ModuleIndex } from '../release/module-index.ts';
import type { LoadedRelease } from '../runtime/loaded-release.ts';
import type { PluginRelease } from './plugin-release.ts';
import type { PluginSource } from './plugin-source.ts';

/** What a plugin may be named by without its extension, and what a folder starts with. */
const extensions = ['', '.ts', '.mts', '.cts', '.js', '.mjs', '.cjs'];
const indexes = extensions.slice(1).map((extension) => `index${extension}`);

/** The plugin at a file or a folder. A folder starts with `main` of its `package.json`, else its index.
 *  Errors: ERR_MIDFLIGHT_PLUGIN_UNKNOWN. */
export function createFileSource(location: string): PluginSource {
  const found = extensions.map((extension) => location + extension).find((at) => existsSync(at));
  if (found === undefined) throw unknown(location, 'is no such file or folder');
  return new FileSource(path.resolve(found), statSync(found).isDirectory());
}

class FileSource implements PluginSource {
  readonly key: string;
  readonly name: string;
  readonly #root: string;
  readonly #location: string;
  readonly #isFolder: boolean;
  #index: ModuleIndex | null = null;
  #entry = '';

  constructor(location: string, isFolder: boolean) {
    this.key = `file:${location}`;
    this.#location = location;
    this.#isFolder = isFolder;
    this.#root = isFolder ? location : path.dirname(location);
    this.name = (isFolder ? this.#package().name : null) ?? path.parse(location).name;
  }

  async load(): Promise<PluginRelease> {
    const entry = this.#findEntry();
    if (this.#index === null || entry !== this.#entry) {
      // Who opens no plugin from source never loads the compiler.
      const { createModuleIndex } = await import('../release/module-index.ts');
      this.#index = createModuleIndex({ root: this.#root, entry });
      this.#entry = entry;
    }
    const index = this.#index;
    const { modules, problems } = await index.update();
    if (problems[0] !== undefined) throw problems[0];
    if ((index.textOf(index.entry) ?? '').trim() === '')
      throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_INVALID', [this.name, `${entry} is empty`]);
    const version = this.#isFolder ? this.#package().version : null;
    const digest = digestOf(modules, version);
    return { name: this.name, version, digest, loaded: this.#toLoaded(digest, modules, index) };
  }

  sibling(name: string): PluginSource {
    return createFileSource(path.join(path.dirname(this.#location), name));
  }

  async watch(onChange: () => void): Promise<() => void> {
    const { watchFiles } = await import('../release/watch-files.ts');
    return watchFiles({ files: () => this.files(), onChange });
  }

  isSettled(): boolean {
    const index = this.#index;
    return (
      index === null ||
      this.files().every((file) => index.isUnchanged(path.relative(this.#root, file)) !== false)
    );
  }

  files(): readonly string[] {
    const modules = [...(this.#index?.modules.keys() ?? [])].map((at) => path.join(this.#root, at));
    const own = this.#isFolder ? [path.join(this.#root, 'package.json')] : [];
    return [...new Set([path.join(this.#root, this.#entry), ...modules, ...own])];
  }

  #toLoaded(digest: string, modules: ManifestModules, index: ModuleIndex): LoadedRelease {
    return {
      id: `plugin ${this.name} ${digest.slice(0, 8)}`,
      root: this.#root,
      manifest: { entry: index.entry, modules, assets: {} },
      readCompiled: (module) => index.compiledOf(module).code,
      findMap: (module) => {
        const { map } = index.compiledOf(module);
        return map === null
          ? null
          : { url: toInlineMap(map, path.join(this.#root, module.path)), read: () => map };
      },
    };
  }

  #findEntry(): string {
    if (!this.#isFolder) return path.basename(this.#location);
    const { main } = this.#package();
    const candidates = main === null ? indexes : [main];
    const found = candidates.find((file) => existsSync(path.join(this.#root, file)));
    if (found === undefined) throw unknown(this.#location, `is no ${main ?? 'index.ts or index.js'} in it`);
    return found;
  }

  #package(): Readonly<Record<'name' | 'version' | 'main', string | null>> {
    const file = path.join(this.#root, 'package.json');
    const content = existsSync(file)
      ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>)
      : {};
    const text = (key: string): string | null => (typeof content[key] === 'string' ? content[key] : null);
    return { name: text('name'), version: text('version'), main: text('main') };
  }
}

function digestOf(modules: ManifestModules, version: string | null): string {
  const hash = createHash('sha256').update(`${version}\n`);
  for (const [at, module] of [...modules].toSorted(([left], [right]) => (left < right ? -1 : 1)))
    hash.update(`${at} ${module.hash}\n`);
  return hash.digest('hex');
}

function unknown(location: string, problem: string): MidflightError {
  return new MidflightError('ERR_MIDFLIGHT_PLUGIN_UNKNOWN', [
    path.basename(location),
    path.dirname(location),
    problem,
  ]);
}
