/** `$m`: what compiled code calls for everything that is not a binding. */

import { createRequire as createNodeRequire, isBuiltin } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { MidflightError } from '../errors.ts';
import { resolveFrom } from './externals.ts';
import { targetKey, type ModuleContext, type ModuleInstance } from './module-instance.ts';
import type { PrivateNames } from './private-names.ts';

export interface ModuleApi {
  /** Held by the module's code. */
  readonly token: object;
  readonly meta: ImportMeta;
  readonly timers: object;
  readonly process: object;
  /** Takes every write to an imported binding, which is a TypeError. */
  readonly constant: object;
  readonly import: (specifier: unknown, options?: ImportCallOptions) => Promise<object>;
  /** The value of an expression after which exports were written. */
  readonly sync: <Value>(value: Value) => Value;
  readonly named: <Value extends object>(value: Value, name: string) => Value;
  readonly createRequire: (base: string | URL) => NodeJS.Require;
  /** For TypeScript that was written for CommonJS. */
  readonly module: NodeJS.Module;
  readonly require: NodeJS.Require;
  /** Where the module accepts itself: the function or class that stands for all versions of an export. */
  readonly live: (key: string, value?: object) => object;
  /** The private names that the versions of a live class have in common. */
  readonly privates: PrivateNames;
  /** Set by code whose import parameters can change. */
  relink?: (...parameters: unknown[]) => void;
}

/** Makes `$m` of an instance. What a generation owns is looked up at each use, as the generation of a shared module changes. */
export function createModuleApi(instance: ModuleInstance): ModuleApi {
  const context = (): ModuleContext => instance.graph.contextOf(instance.manifest.path);
  let meta: ImportMeta | null = null;
  return {
    token: instance.token,
    get meta() {
      return (meta ??= createMeta(instance, context));
    },
    get timers() {
      return context().timers;
    },
    get process() {
      return context().process;
    },
    constant,
    import: (specifier, options) => instance.graph.import(instance, specifier, options),
    sync,
    named,
    createRequire: (base) => createRequire(instance, base),
    get module() {
      return instance.graph.moduleOf(instance);
    },
    get require() {
      // What it really is, Node's types leave out.
      return instance.graph.moduleOf(instance).require as NodeJS.Require;
    },
    get privates() {
      return (instance.slot ?? fail(instance)).privates;
    },
    live: (key, value) => (instance.slot ?? fail(instance)).live(instance, key, value),
  };
}

function fail({ manifest }: ModuleInstance): never {
  throw new MidflightError('ERR_MIDFLIGHT_INTERNAL', [`${manifest.path} does not accept itself`]);
}

const constant = new Proxy(Object.freeze({}), {
  set: () => {
    throw new TypeError('Assignment to constant variable.');
  },
});

function sync<Value>(value: Value): Value {
  return value;
}

function named<Value extends object>(value: Value, name: string): Value {
  return Object.defineProperty(value, 'name', { value: name, configurable: true });
}

function createRequire(instance: ModuleInstance, base: string | URL): NodeJS.Require {
  const isOwn = String(base) === instance.url || base === instance.filename;
  return isOwn ? instance.graph.createRequire(instance) : createNodeRequire(base);
}

function createMeta(instance: ModuleInstance, context: () => ModuleContext): ImportMeta {
  const { url, filename } = instance;
  const { hot } = context();
  const meta = Object.assign(Object.create(null) as ImportMeta, {
    dirname: path.dirname(filename),
    filename,
    main: instance.graph.entry === instance.manifest.path,
    resolve: (specifier: string) => resolveMeta(instance, `${specifier}`),
    url,
  });
  return hot === undefined ? meta : Object.assign(meta, { hot });
}

function resolveMeta(instance: ModuleInstance, specifier: string): string {
  const { targets, url } = instance;
  const target = targets.get(targetKey(specifier, 'static')) ?? targets.get(targetKey(specifier, 'dynamic'));
  if (target?.kind === 'module') return target.node.url;
  if (target?.kind === 'foreign' && path.isAbsolute(target.location))
    return pathToFileURL(target.location).href;
  if (/^\.{0,2}\//.test(specifier)) return new URL(specifier, url).href;
  if (isBuiltin(specifier)) return specifier.replace(/^(?:node:)?/, 'node:');
  return resolveFrom(url, specifier);
}
