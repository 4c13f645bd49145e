/** What Node itself loads: packages, its own modules, and Midflight. All generations share them. */

import { createRequire, registerHooks } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { types } from 'node:util';
import { MidflightError } from '../errors.ts';
import type { RequestTarget } from '../protocol/manifest.ts';
import type { ForeignDependency } from '../protocol/resolve-export.ts';

/** A module that is not the app's. `namespace` and `names` are there when it is loaded. */
export interface ForeignModule extends ForeignDependency {
  readonly kind: 'foreign';
  readonly target: Exclude<RequestTarget, { kind: 'module' | 'missing' }>;
  /** What `require` takes for it, and where `import.meta.resolve` says that it is. */
  readonly location: string;
  names: ReadonlySet<string> | null;
  namespace: object | null;
  /** Loads it once. Rejects with what it threw. */
  readonly load: () => Promise<object>;
  /** Loads it without waiting, as `require` does. Throws what it threw. */
  readonly loadNow: () => void;
}

export interface ForeignOptions {
  readonly root: string;
  readonly midflightExports: Readonly<Record<string, object>>;
}

/** Describes a module that Node loads; nothing is loaded yet. */
export function createForeign(target: ForeignModule['target'], options: ForeignOptions): ForeignModule {
  let loading: Promise<object> | null = null;
  const foreign: ForeignModule = {
    kind: 'foreign',
    target,
    location: locate(target, options.root),
    names: null,
    namespace: null,
    load: () => (loading ??= importForeign(foreign, options).then((namespace) => fill(foreign, namespace))),
    loadNow: () => {
      if (foreign.namespace === null) fill(foreign, requireForeign(foreign, options));
    },
  };
  return foreign;
}

function fill(foreign: ForeignModule, namespace: object): object {
  foreign.namespace = namespace;
  foreign.names = new Set(Object.keys(namespace));
  return namespace;
}

async function importForeign({ target, location }: ForeignModule, options: ForeignOptions): Promise<object> {
  if (target.kind === 'midflight') return midflightModule(options.midflightExports, target.subpath);
  if (target.kind === 'builtin') return (await import(target.name)) as object;
  if (/^(?:data|https?):/.test(target.path)) return (await import(target.path)) as object;
  // Node imports no addons; `require` has always loaded them.
  if (location.endsWith('.node')) return { default: createRequire(location)(location) as unknown };
  const url = pathToFileURL(location).href;
  return (await import(url, location.endsWith('.json') ? { with: { type: 'json' } } : {})) as object;
}

function requireForeign({ target, location }: ForeignModule, options: ForeignOptions): object {
  if (target.kind === 'midflight') return midflightModule(options.midflightExports, target.subpath);
  const value = createRequire(import.meta.url)(location) as unknown;
  if (types.isModuleNamespaceObject(value)) return value as object;
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return { ...(isObject ? value : {}), default: value, 'module.exports': value };
}

/** Subpaths that a worker loads when its app asks for them: one for all generations, as a package is. */
const onDemand: ReadonlySet<string> = new Set(['plugin']);

function toFile(subpath: string): string {
  return path.join(import.meta.dirname, '..', subpath + path.extname(import.meta.filename));
}

/** The package `midflight`, or a subpath of it, as the runtime itself has it. */
export function midflightModule(exports: Readonly<Record<string, object>>, subpath: string): object {
  const found = exports[subpath];
  if (found !== undefined) return found;
  if (onDemand.has(subpath)) return createRequire(import.meta.url)(toFile(subpath)) as object;
  const specifier = subpath === '' ? 'midflight' : `midflight/${subpath}`;
  throw new MidflightError('ERR_MIDFLIGHT_MODULE_UNRESOLVED', [
    'The app',
    specifier,
    'the package has no such export',
  ]);
}

/** The subpath of a specifier that names Midflight; null for any other. */
export function midflightSubpath(specifier: string): string | null {
  if (specifier === 'midflight') return '';
  return specifier.startsWith('midflight/') ? specifier.slice('midflight/'.length) : null;
}

function locate(target: ForeignModule['target'], root: string): string {
  if (target.kind === 'builtin') return target.name;
  if (target.kind === 'midflight') return target.subpath === '' ? 'midflight' : `midflight/${target.subpath}`;
  return /^(?:data|https?):/.test(target.path) ? target.path : path.join(root, target.path);
}

const SCHEME = 'midflight-from:';
let isHooked = false;

/** Resolves a specifier as `import` does in the module at `parentUrl`. */
export function resolveFrom(parentUrl: string, specifier: string): string {
  installHook();
  return import.meta.resolve(SCHEME + encodeURIComponent(JSON.stringify([parentUrl, specifier])));
}

/** Node resolves an import from the file that it is written in; this lets another file be named in the specifier. */
function installHook(): void {
  if (isHooked) return;
  isHooked = true;
  registerHooks({
    resolve: (specifier, context, next) => {
      if (!specifier.startsWith(SCHEME)) return next(specifier, context);
      const [parentURL, wanted] = JSON.parse(decodeURIComponent(specifier.slice(SCHEME.length))) as [
        string,
        string,
      ];
      return next(wanted, { ...context, parentURL });
    },
  });
}
