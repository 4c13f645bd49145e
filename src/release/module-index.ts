/**
 * The modules of a source tree, kept up to date: what changed is compiled again, the rest is as it was.
 * Owns what is known of each file, and what has changed since somebody asked.
 *
 * 1. `modules` only moves from one whole state to the next: an update that fails leaves it as it was.
 * 2. What an update could not take in is looked at again by the next, whatever that is told.
 */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import type { ManifestModule, ManifestModules, ModuleRequest } from '../protocol/manifest.ts';
import { hasRequesters } from '../protocol/importers.ts';
import { LayeredMap } from '../protocol/layered-map.ts';
import { checkLinks } from './check-links.ts';
import { createDraft, forget, reach, take, targetsAt, type Draft, type Known } from './module-draft.ts';
import { createResolver, type Resolver } from './resolve.ts';
import { createPackageTypes, type PackageType } from './transform/module-kind.ts';
import { createPauses } from '../protocol/pauses.ts';
import { transformCached } from './transform-cache.ts';
import type { SourceRequest } from './transform/rewrite.ts';
import { isTransformable, transformModule, type TransformedModule } from './transform/transform.ts';
import { readTypeScriptSettings, type TypeScriptSettings } from './transform/typescript-settings.ts';

/** Gives the text of a file by its path relative to the root; null where there is none. */
export type ReadSource = (path: string) => string | null;

export interface CompiledCode {
  readonly code: string;
  /** A source map of version 3; null for JSON. */
  readonly map: string | null;
}

export interface IndexOptions {
  readonly root: string;
  /** Where in `root` the app is, whose `tsconfig.json` counts; `root` itself when absent. */
  readonly appFolder?: string | undefined;
  /** The entry module, relative to `root` or absolute. */
  readonly entry: string;
  /** Where transformed files are kept between builds, by the hash of their source; nothing is kept without it. */
  readonly cacheDirectory?: string | undefined;
  /** The disk when absent. */
  readonly readSource?: ReadSource | undefined;
  /** What another index of the same files has had; it is taken over, and its code is to be found where that was put. */
  readonly before?: ManifestModules | undefined;
}

export interface IndexUpdate {
  readonly modules: ManifestModules;
  /** Imports that can't be linked. */
  readonly problems: readonly MidflightError[];
  /** The paths of the modules that are new, gone or different. */
  readonly touched: ReadonlySet<string>;
}

export interface ModuleIndex {
  /** Path of the entry module, relative to the root. */
  readonly entry: string;
  readonly modules: ManifestModules;
  /** Takes in the files that may differ, by path relative to the root; every known one without a list.
   *  Errors: ERR_MIDFLIGHT_SYNTAX of a file that is imported; nothing has changed then. */
  update(changes?: Iterable<string>): Promise<IndexUpdate>;
  /** The compiled code of a module that was compiled here and `modules` has or had; kept for as long as the module's description is. */
  compiledOf(module: ManifestModule): CompiledCode;
  /** The text of a file as the last update that needed it read it; null for one that none did. */
  textOf(path: string): string | null;
  /** The imports that lead from the entry to a module, both included; only the module where nothing leads to it. After an
   *  update that failed: as far as that has come. */
  chainTo(path: string): readonly string[];
  /** Whether a file is as the last update that needed it read it; null for one that none did. */
  isUnchanged(path: string): boolean | null;
}

/** Makes the index of a tree; nothing is compiled before the first update.
 *  Errors: ERR_MIDFLIGHT_ENTRY_MISSING. */
export function createModuleIndex(options: IndexOptions): ModuleIndex {
  return new Index(options);
}

class Index implements ModuleIndex {
  readonly entry: string;
  readonly #options: IndexOptions;
  #pauses = createPauses();
  readonly #compiled = new WeakMap<ManifestModule, CompiledCode>();
  #resolver: Resolver;
  #settings: TypeScriptSettings;
  #packageTypes: (modulePath: string) => PackageType;
  readonly #known = new Map<string, Known>();
  /** What was read last, also by an update that failed; null where there was nothing. */
  readonly #texts = new Map<string, string | null>();
  /** What the last update knew, whether it failed or not. */
  #traced: Draft['get'] = (at) => this.#known.get(at);
  #modules: ManifestModules = LayeredMap.of();
  /** Some module may load, or have a package load, what no request names. */
  #mayLoadAny = false;
  /** Files that may differ and are not taken in yet. */
  readonly #pending = new Set<string>();

  constructor(options: IndexOptions) {
    this.#options = options;
    this.#resolver = createResolver(options.root, options);
    this.#settings = readTypeScriptSettings(this.#appRoot());
    this.#packageTypes = createPackageTypes(this.#resolver.root);
    const entry = this.#resolver.entry(options.entry);
    if (entry === null) throw new MidflightError('ERR_MIDFLIGHT_ENTRY_MISSING', [options.entry]);
    this.entry = entry;
    if (options.before !== undefined) this.#takeOver(options.before);
  }

  #takeOver(before: ManifestModules): void {
    for (const [at, module] of before)
      this.#known.set(at, { module, source: null, isComputedTarget: module.isComputedTarget });
    this.#modules = before;
    this.#mayLoadAny = hasRequesters(before);
  }

  get modules(): ManifestModules {
    return this.#modules;
  }

  async update(changes?: Iterable<string>): Promise<IndexUpdate> {
    this.#pauses = createPauses();
    for (const at of changes ?? this.#known.keys()) this.#pending.add(at);
    for (const at of this.#pending) if (this.#texts.has(at) || this.#known.has(at)) this.#take(at);
    const isFirst = this.#known.size === 0;
    const isStructural = isFirst || changes === undefined || this.#isStructural();
    const draft = createDraft(this.#known, isStructural);
    this.#traced = draft.get;
    if (isStructural && !isFirst) await this.#renew(draft);
    else await this.#compileChanged(draft);
    await this.#compileFrom(draft, this.entry, true);
    if (hasRequesters(this.#modulesOf(draft))) {
      if (isStructural || !this.#mayLoadAny) await this.#compileRest(draft);
      if (draft.changes.size > 0) this.#markComputed(draft);
    }
    const mayLoadAny = hasRequesters(this.#modulesOf(draft));
    if ((draft.mayPrune || this.#mayLoadAny) && !isFirst && !mayLoadAny) this.#prune(draft);
    const modules = this.#modulesOf(draft);
    const problems = checkLinks(modules, this.entry, this.#toCheck(draft, modules));
    if (problems.length === 0) this.#pending.clear();
    this.#settle(draft, modules, mayLoadAny);
    return { modules, problems, touched: draft.touched };
  }

  #appRoot(): string {
    return path.join(this.#resolver.root, this.#options.appFolder ?? '');
  }

  #settle({ changes }: Draft, modules: ManifestModules, mayLoadAny: boolean): void {
    for (const [at, known] of changes) {
      if (known === undefined) this.#known.delete(at);
      else this.#known.set(at, known);
    }
    this.#traced = (at) => this.#known.get(at);
    this.#mayLoadAny = mayLoadAny;
    this.#modules = modules;
  }

  #modulesOf({ changes }: Draft): ManifestModules {
    const modules = [...changes].map(([at, known]) => [at, known?.module] as const);
    const derived = this.#modules.with(
      new Map(modules.filter(([at, module]) => module !== this.#modules.get(at))),
    );
    if (this.#known.size > 0) return derived;
    return LayeredMap.of([...derived].toSorted(([left], [right]) => (left < right ? -1 : 1)));
  }

  compiledOf(module: ManifestModule): CompiledCode {
    const compiled = this.#compiled.get(module);
    if (compiled !== undefined) return compiled;
    throw new MidflightError('ERR_MIDFLIGHT_INTERNAL', [`${module.path} is not compiled`]);
  }

  readonly textOf = (at: string): string | null => this.#texts.get(at) ?? null;

  chainTo(wanted: string): readonly string[] {
    const from = new Map<string, string | null>([[this.entry, null]]);
    for (const [at] of from) {
      for (const { target } of this.#traced(at)?.module.requests ?? []) {
        if (target.kind === 'module' && !from.has(target.path)) from.set(target.path, at);
      }
    }
    const chain = [wanted];
    for (let at = from.get(wanted); typeof at === 'string'; at = from.get(at)) chain.unshift(at);
    return chain;
  }

  isUnchanged(at: string): boolean | null {
    const text = this.#texts.get(at);
    return text === undefined ? null : text === this.#read(at);
  }

  /** Whether a file came, went, or says how others are resolved: then every request may lead elsewhere. */
  #isStructural(): boolean {
    return [...this.#pending].some((at) => {
      if (decidesOthers.test(at)) return true;
      return this.#known.has(at) !== (isTransformable(at) && this.#read(at) !== null);
    });
  }

  /** Looks at every request again, and at every file but those that were taken over and are not said to differ. */
  async #renew(draft: Draft): Promise<void> {
    const settings = JSON.stringify(this.#settings);
    this.#resolver = createResolver(this.#options.root, this.#options);
    this.#settings = readTypeScriptSettings(this.#appRoot());
    const typesBefore = this.#packageTypes;
    this.#packageTypes = createPackageTypes(this.#resolver.root);
    const areSettingsSame = settings === JSON.stringify(this.#settings);
    for (const [at, { source, module, isComputedTarget }] of this.#known) {
      const areOptionsSame = areSettingsSame && typesBefore(at) === this.#packageTypes(at);
      const isKept = areOptionsSame && source === null && !this.#pending.has(at);
      const text = isKept ? null : this.#take(at);
      if (isKept || (areOptionsSame && text !== null && text === source)) this.#resolveAgain(draft, module);
      else if (text === null) forget(draft, at);
      else await this.#compileOne(draft, at, text, isComputedTarget);
    }
  }

  async #compileChanged(draft: Draft): Promise<void> {
    for (const at of this.#pending) {
      const before = this.#known.get(at);
      const text = this.#texts.get(at) ?? null;
      if (before === undefined || text === null || text === before.source) continue;
      await this.#compileOne(draft, at, text, before.isComputedTarget);
    }
  }

  /** Compiles what a module leads to and is not known yet. What is not `isNeeded` is left out when it can't be parsed. */
  async #compileFrom(draft: Draft, start: string, isNeeded: boolean): Promise<void> {
    const queue = [start, ...[...draft.touched].flatMap((at) => targetsAt(draft, at))];
    for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
      if (draft.get(at) !== undefined) continue;
      const text = this.#take(at);
      if (text === null) continue;
      const isThere = await this.#compileOne(draft, at, text, !isNeeded);
      if (isThere) queue.push(...targetsAt(draft, at));
    }
  }

  /** The files that nothing names but something may ask for at run time. */
  async #compileRest(draft: Draft): Promise<void> {
    for (const file of listFiles(this.#resolver.root, '')) await this.#compileFrom(draft, file, false);
  }

  /** False where it was left out. */
  async #compileOne(draft: Draft, at: string, text: string, isComputedTarget: boolean): Promise<boolean> {
    await this.#pauses.next();
    try {
      const { code, map, requests, ...facts } = await this.#transform(at, text);
      const resolved = requests.map((request) => this.#resolve(at, request));
      const module: ManifestModule = { ...facts, requests: resolved, isComputedTarget };
      this.#compiled.set(module, { code, map });
      take(draft, module, text);
      return true;
    } catch (error) {
      const isSyntax = error instanceof MidflightError && error.code === 'ERR_MIDFLIGHT_SYNTAX';
      if (!isComputedTarget || !isSyntax) throw error;
      forget(draft, at);
      return false;
    }
  }

  #resolve(at: string, request: SourceRequest): ModuleRequest {
    return { ...request, target: this.#resolver.resolve(at, request.specifier, request.phase) };
  }

  #resolveAgain(draft: Draft, module: ManifestModule): void {
    const requests = module.requests.map((request) => this.#resolve(module.path, request));
    if (JSON.stringify(requests) === JSON.stringify(module.requests)) return;
    const known = draft.get(module.path);
    if (known === undefined) return;
    const renewed = { ...module, requests };
    this.#keepCompiled(module, renewed);
    take(draft, renewed, known.source);
  }

  #keepCompiled(module: ManifestModule, renewed: ManifestModule): void {
    const compiled = this.#compiled.get(module);
    if (compiled !== undefined) this.#compiled.set(renewed, compiled);
  }

  /** What the entry leads to by requests is no longer, or not yet, only there for what run time names. */
  #markComputed(draft: Draft): void {
    const named = reach(draft, this.entry);
    for (const at of this.#pathsOf(draft)) {
      const known = draft.get(at);
      const isComputedTarget = !named.has(at);
      if (known === undefined || known.isComputedTarget === isComputedTarget) continue;
      const module = { ...known.module, isComputedTarget };
      this.#keepCompiled(known.module, module);
      draft.changes.set(at, { ...known, module, isComputedTarget });
    }
  }

  /** Drops what nothing leads to any more. */
  #prune(draft: Draft): void {
    const reached = reach(draft, this.entry);
    for (const at of this.#pathsOf(draft)) if (!reached.has(at)) forget(draft, at);
  }

  #pathsOf({ changes, get }: Draft): string[] {
    return [...new Set([...this.#known.keys(), ...changes.keys()])].filter((at) => get(at) !== undefined);
  }

  /** The modules whose imports may no longer be right; null for all. */
  #toCheck(draft: Draft, modules: ManifestModules): ReadonlySet<string> | null {
    for (const at of draft.touched) {
      const before = this.#modules.get(at);
      const after = modules.get(at);
      if (before === undefined || after === undefined || exportsOf(before) !== exportsOf(after)) return null;
    }
    return draft.touched;
  }

  #take(at: string): string | null {
    const text = this.#read(at);
    this.#texts.set(at, text);
    return text;
  }

  #read(at: string): string | null {
    const { readSource } = this.#options;
    return readSource === undefined ? readFile(path.join(this.#resolver.root, at)) : readSource(at);
  }

  async #transform(at: string, source: string): Promise<TransformedModule> {
    const { cacheDirectory } = this.#options;
    const packageType = this.#packageTypes(at);
    const options = { path: at, source, packageType, settings: this.#settings };
    // What one file of the cache costs is more than one compilation does; it is for the many of a start.
    if (cacheDirectory === undefined || this.#known.size > 0) return transformModule(options);
    return transformCached(cacheDirectory, options);
  }
}

/** What these say, modules are resolved and compiled by. */
const decidesOthers = /(?:^|\/)(?:package\.json|tsconfig[^/]*\.json)$/;

function exportsOf({ localExports, indirectExports, starExports }: ManifestModule): string {
  return JSON.stringify([localExports, indirectExports, starExports]);
}

function readFile(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Not there, or no file: what asks for it says so.
    return null;
  }
}

const notImported = /^(?:package(?:-lock)?\.json|tsconfig.*\.json|midflight\.config\..*)$|\.d\.[cm]?ts$/;

function* listFiles(root: string, directory: string): Generator<string> {
  for (const entry of readdirSync(path.join(root, directory), { withFileTypes: true })) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const file = directory === '' ? entry.name : `${directory}/${entry.name}`;
    if (entry.isDirectory()) yield* listFiles(root, file);
    else if (entry.isFile() && isListed(entry.name)) yield file;
  }
}

function isListed(name: string): boolean {
  return name.includes('.') && isTransformable(name) && !notImported.test(name);
}
