/** Specifier → where it leads, as Node resolves it, and with what TypeScript adds. */

import { existsSync, realpathSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ResolverFactory, type NapiResolveOptions } from 'oxc-resolver';
import type { RequestPhase, RequestTarget } from '../protocol/manifest.ts';
import { isTransformable } from './transform/transform.ts';

export interface Resolver {
  /** The real path of the root; every module's path is relative to it. */
  readonly root: string;
  /** Where `specifier` leads from the module at `from`. Never throws: what is not found is a target of its own. */
  readonly resolve: (from: string, specifier: string, phase: RequestPhase) => RequestTarget;
  /** The path of a module by the file that was named as entry; null when there is none. */
  readonly entry: (entry: string) => string | null;
}

export interface ResolverOptions {
  /** The app's own files are those that this gives; the disk when absent. */
  readonly readSource?: ((path: string) => string | null) | undefined;
  /** The folder whose `tsconfig.json` counts. */
  readonly appFolder?: string | undefined;
}

/** Makes the resolver of one source tree. */
export function createResolver(givenRoot: string, options: ResolverOptions = {}): Resolver {
  const { readSource, appFolder = '' } = options;
  const onDisk = createDiskResolver(givenRoot, appFolder);
  if (readSource === undefined) return onDisk;
  const find = (from: string, specifier: string): string | null =>
    findAmong(path.posix.join(path.posix.dirname(from), specifier), (at) => readSource(at) !== null);
  return {
    root: onDisk.root,
    resolve(from, specifier, phase) {
      if (!/^\.{1,2}\//.test(specifier)) return onDisk.resolve(from, specifier, phase);
      const found = find(from, specifier);
      if (found !== null) return { kind: 'module', path: found };
      return { kind: 'missing', reason: `there is no source for ${specifier}` };
    },
    entry: (entry) => find('.', path.isAbsolute(entry) ? path.relative(onDisk.root, entry) : entry),
  };
}

/** The file that is meant by a path, with or without its extension. */
function findAmong(at: string, isThere: (path: string) => boolean): string | null {
  const bare = at.replace(/\.([cm]?)jsx?$/, '.$1ts');
  const candidates = [at, bare, ...typesFirst.map((extension) => at + extension)];
  const index = typesFirst.map((extension) => `${at}/index${extension}`);
  return [...candidates, ...index].find(isThere) ?? null;
}

function createDiskResolver(givenRoot: string, appFolder: string): Resolver {
  const root = realpathSync(givenRoot);
  const factories = createFactories(path.join(root, appFolder));
  return {
    root,
    resolve: (from, specifier, phase) => {
      if (isBuiltin(specifier)) return { kind: 'builtin', name: specifier.replace(/^(?:node:)?/, 'node:') };
      if (/^midflight(?:\/|$)/.test(specifier))
        return { kind: 'midflight', subpath: specifier.slice('midflight/'.length) };
      if (/^(?:data|https?):/.test(specifier)) return { kind: 'external', path: specifier };
      const factory = factories[factoryName(from, specifier, phase)];
      return toTarget(root, factory, { from, specifier });
    },
    entry: (entry) => {
      const specifier = path.isAbsolute(entry) ? entry : `./${entry}`;
      const target = toTarget(root, factories.requireTs, { from: 'package.json', specifier });
      return target.kind === 'module' ? target.path : null;
    },
  };
}

const conditions = ['node', 'module-sync', 'node-addons'];
const scriptFirst = ['.js', '.json', '.node', '.mjs', '.cjs', '.ts', '.tsx', '.mts', '.cts', '.jsx'];
const typesFirst = ['.ts', '.tsx', '.mts', '.cts', '.js', '.mjs', '.cjs', '.jsx', '.json', '.node'];

const scriptAlias = {
  '.js': ['.js', '.ts', '.tsx', '.jsx'],
  '.jsx': ['.jsx', '.tsx'],
  '.mjs': ['.mjs', '.mts'],
  '.cjs': ['.cjs', '.cts'],
};
const typesAlias = {
  '.js': ['.ts', '.tsx', '.js', '.jsx'],
  '.jsx': ['.tsx', '.jsx'],
  '.mjs': ['.mts', '.mjs'],
  '.cjs': ['.cts', '.cjs'],
};

type FactoryName = 'importJs' | 'importTs' | 'requireJs' | 'requireTs';

function createFactories(folder: string): Record<FactoryName, ResolverFactory> {
  const configFile = path.join(folder, 'tsconfig.json');
  const shared: NapiResolveOptions = {
    // Paths stay as they are written, so that a linked node_modules stays inside of the root wherever that is moved to.
    symlinks: false,
    nodePath: false,
    ...(existsSync(configFile) ? { tsconfig: { configFile, references: 'auto' as const } } : {}),
  };
  const script = { ...shared, extensions: scriptFirst, extensionAlias: scriptAlias };
  const types = { ...shared, extensions: typesFirst, extensionAlias: typesAlias };
  return {
    importJs: new ResolverFactory({ ...script, conditionNames: ['import', ...conditions] }),
    importTs: new ResolverFactory({ ...types, conditionNames: ['import', ...conditions] }),
    requireJs: new ResolverFactory({ ...script, conditionNames: ['require', ...conditions] }),
    requireTs: new ResolverFactory({ ...types, conditionNames: ['require', ...conditions] }),
  };
}

/** Types come first only between the app's own files: a package may ship both, and Node takes no types from packages. */
function factoryName(from: string, specifier: string, phase: RequestPhase): FactoryName {
  const isTypes = /\.[cm]?tsx?$/.test(from) && /^[./#]/.test(specifier);
  if (phase === 'require') return isTypes ? 'requireTs' : 'requireJs';
  return isTypes ? 'importTs' : 'importJs';
}

interface Request {
  readonly from: string;
  readonly specifier: string;
}

function toTarget(root: string, factory: ResolverFactory, { from, specifier }: Request): RequestTarget {
  const request = specifier.startsWith('file:') ? fileURLToPath(specifier) : specifier;
  const directory = path.dirname(path.join(root, from));
  const result = factory.sync(directory, request);
  if (result.path === undefined) return { kind: 'missing', reason: result.error ?? 'not found' };
  return classify(
    root,
    result.path.replace(/[?#].*$/, (query) => (existsSync(result.path ?? '') ? query : '')),
  );
}

function classify(root: string, file: string): RequestTarget {
  const real = relativeTo(root, realpathSync(file));
  if (isInside(real) && !isInPackage(real) && isTransformable(real)) return { kind: 'module', path: real };
  const named = relativeTo(root, file);
  return { kind: 'external', path: isInside(named) ? named : real };
}

function relativeTo(root: string, file: string): string {
  return path.relative(root, file).split(path.sep).join('/');
}

function isInside(relative: string): boolean {
  return relative !== '..' && !relative.startsWith('../') && !path.isAbsolute(relative);
}

function isInPackage(relative: string): boolean {
  return relative.split('/').includes('node_modules');
}
