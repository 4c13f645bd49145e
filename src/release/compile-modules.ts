/** A source tree's modules: found from the entry on, transformed, resolved and checked. */

import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import type { ManifestModule, ManifestModules } from '../protocol/manifest.ts';
import { checkLinks } from './check-links.ts';
import { createResolver, type Resolver } from './resolve.ts';
import { createPackageTypes, type PackageType } from './transform/module-kind.ts';
import {
  isTransformable,
  transformModule,
  TRANSFORM_VERSION,
  type TransformedModule,
} from './transform/transform.ts';
import { readTypeScriptSettings, type TypeScriptSettings } from './transform/typescript-settings.ts';

export interface CompileOptions {
  readonly root: string;
  /** The entry module, relative to `root` or absolute. */
  readonly entry: string;
  /** Where transformed files are kept between builds, by the hash of their source; nothing is kept without it. */
  readonly cacheDirectory?: string;
  /** Stores compiled code under its hash. The same hash may come more than once. */
  readonly writeCompiled: (hash: string, code: string, map: string | null) => Promise<void> | void;
}

export interface CompiledModules {
  readonly modules: ManifestModules;
  /** Imports that can't be linked. */
  readonly problems: readonly MidflightError[];
}

/** Compiles everything that the entry can lead to. When some module asks for what only run time tells, or knows where it
 *  is, that is every file of the tree.
 *  Errors: ERR_MIDFLIGHT_SYNTAX of a file that is imported; ERR_MIDFLIGHT_ENTRY_MISSING. */
export async function compileModules(options: CompileOptions): Promise<CompiledModules> {
  const resolver = createResolver(options.root);
  const entry = resolver.entry(options.entry);
  if (entry === null) throw new MidflightError('ERR_MIDFLIGHT_ENTRY_MISSING', [options.entry]);
  const compilation: Compilation = {
    ...options,
    resolver,
    settings: readTypeScriptSettings(resolver.root),
    packageTypes: createPackageTypes(resolver.root),
    found: new Map(),
    mayLoadAny: false,
  };
  await compileFrom(compilation, entry, true);
  if (compilation.mayLoadAny) await compileRest(compilation);
  const modules = Object.fromEntries(
    [...compilation.found].toSorted(([left], [right]) => (left < right ? -1 : 1)),
  );
  return { modules, problems: checkLinks(modules, entry) };
}

interface Compilation extends CompileOptions {
  readonly resolver: Resolver;
  readonly settings: TypeScriptSettings;
  readonly packageTypes: (modulePath: string) => PackageType;
  readonly found: Map<string, ManifestModule>;
  /** Some module may load, or have a package load, what no request names. */
  mayLoadAny: boolean;
}

/** Compiles a module and all that it leads to. What is not `isNeeded` is left out when it can't be parsed. */
async function compileFrom(compilation: Compilation, start: string, isNeeded: boolean): Promise<void> {
  const { found, resolver } = compilation;
  const queue = [start];
  for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
    if (found.has(at)) continue;
    const transformed = await transformAt(compilation, at, isNeeded);
    if (transformed === null) continue;
    const { code, map, requests, ...facts } = transformed;
    const from = at;
    const resolved = requests.map((request) => ({
      ...request,
      target: resolver.resolve(from, request.specifier, request.phase),
    }));
    found.set(at, { ...facts, requests: resolved, isComputedTarget: !isNeeded });
    compilation.mayLoadAny ||= facts.hasComputedRequest || facts.usesLocation;
    await compilation.writeCompiled(facts.hash, code, map);
    queue.push(...resolved.flatMap(({ target }) => (target.kind === 'module' ? [target.path] : [])));
  }
}

/** The files that nothing names but something may ask for at run time. */
async function compileRest(compilation: Compilation): Promise<void> {
  for await (const file of listFiles(compilation.resolver.root, ''))
    await compileFrom(compilation, file, false);
}

const notImported = /^(?:package(?:-lock)?\.json|tsconfig.*\.json|midflight\.config\..*)$|\.d\.[cm]?ts$/;

async function* listFiles(root: string, directory: string): AsyncGenerator<string> {
  const entries = await readdir(path.join(root, directory), { withFileTypes: true });
  for (const entry of entries) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const file = directory === '' ? entry.name : `${directory}/${entry.name}`;
    if (entry.isDirectory()) yield* listFiles(root, file);
    else if (entry.isFile() && isListed(entry.name)) yield file;
  }
}

function isListed(name: string): boolean {
  return name.includes('.') && isTransformable(name) && !notImported.test(name);
}

async function transformAt(
  compilation: Compilation,
  at: string,
  isNeeded: boolean,
): Promise<TransformedModule | null> {
  try {
    return await transformCached(compilation, at);
  } catch (error) {
    if (!isNeeded && error instanceof MidflightError && error.code === 'ERR_MIDFLIGHT_SYNTAX') return null;
    throw error;
  }
}

async function transformCached(compilation: Compilation, at: string): Promise<TransformedModule> {
  const { cacheDirectory, resolver, settings } = compilation;
  const source = await readFile(path.join(resolver.root, at), 'utf8');
  const options = { path: at, source, packageType: compilation.packageTypes(at), settings };
  if (cacheDirectory === undefined) return transformModule(options);
  const key = createHash('sha256')
    .update(JSON.stringify([TRANSFORM_VERSION, options]))
    .digest('hex');
  const file = path.join(cacheDirectory, `${key}.json`);
  const cached = await readCached(file);
  if (cached !== null) return cached;
  const transformed = transformModule(options);
  await writeCached(cacheDirectory, file, transformed);
  return transformed;
}

async function readCached(file: string): Promise<TransformedModule | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as TransformedModule;
  } catch {
    // Not there, or not whole: it is made again.
    return null;
  }
}

async function writeCached(directory: string, file: string, transformed: TransformedModule): Promise<void> {
  await mkdir(directory, { recursive: true });
  const staging = `${file}.${process.pid}.tmp`;
  await writeFile(staging, JSON.stringify(transformed));
  await rename(staging, file);
}
