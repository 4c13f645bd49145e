/** CommonJS and JSON modules: evaluated at once, when they are first required or imported. */

import { runAsOwn } from './run-as-own.ts';
import { createRequire as createNodeRequire, isBuiltin, Module } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { exportedNames } from '../protocol/resolve-export.ts';
import { midflightSubpath } from './externals.ts';
import { createModuleApi } from './link-api.ts';
import { createRequireCache } from './require-cache.ts';
import { targetKey, type ModuleInstance } from './module-instance.ts';

/** Evaluates a module that is not an ES module, and writes its environment for those that import it. */
export function evaluateLeaf(instance: ModuleInstance): void {
  const { evaluation, manifest, environment } = instance;
  if (evaluation.error !== null) throw evaluation.error.value;
  try {
    if (manifest.kind === 'json') environment['default'] = runCommonJs(instance, null).exports;
    else copyExports(instance, runCommonJs(instance, null));
  } catch (error) {
    evaluation.error = { value: error };
    instance.graph.failures.add(manifest.path);
    throw error;
  }
}

/** Makes the `require` of a module. `parent` is its `module` object, where it has one. */
export function createModuleRequire(
  instance: ModuleInstance,
  parent: NodeJS.Module | null = null,
): NodeJS.Require {
  const native = createNodeRequire(instance.filename);
  const require = (id: string): unknown => {
    const found = findRequired(instance, native, id);
    return typeof found === 'object' ? requireInstance(found, parent) : found();
  };
  const resolve = (id: string, options?: { paths?: string[] }): string => {
    const target = instance.targets.get(targetKey(id, 'require'));
    return target?.kind === 'module' ? target.node.filename : native.resolve(id, options);
  };
  const cache = createRequireCache(() => instance.graph.currentFor(instance), native);
  return Object.defineProperties(require as NodeJS.Require, {
    resolve: {
      value: Object.assign(resolve, { paths: native.resolve.paths }),
      writable: true,
      enumerable: true,
    },
    main: { get: () => instance.graph.mainModule(), enumerable: true },
    extensions: { value: native.extensions, writable: true, enumerable: true },
    cache: { value: cache, writable: true, enumerable: true },
  });
}

/** A module of the app, or a function that gets it from Node. */
function findRequired(
  instance: ModuleInstance,
  native: NodeJS.Require,
  id: string,
): ModuleInstance | (() => unknown) {
  // Node has an error for what is no specifier.
  if (typeof id !== 'string') return () => native(id) as unknown;
  const target = instance.targets.get(targetKey(id, 'require'));
  if (target?.kind === 'module') return target.node;
  if (target?.kind === 'foreign' && target.target.kind === 'external')
    return () => native(target.location) as unknown;
  const subpath = midflightSubpath(id);
  if (subpath !== null) return () => instance.graph.midflight(subpath);
  if (isBuiltin(id)) return () => native(id) as unknown;
  return findComputed(instance, native, id) ?? ((): unknown => native(id));
}

/** A specifier that only run time knows: as Node resolves it, else the TypeScript file that is meant. */
function findComputed(instance: ModuleInstance, native: NodeJS.Require, id: string): ModuleInstance | null {
  const graph = instance.graph.currentFor(instance);
  try {
    return graph.moduleAt(native.resolve(id));
  } catch {
    // Node finds nothing there: its own error is thrown when there is no other file either.
    const isPath = id.startsWith('.') || path.isAbsolute(id);
    return isPath ? graph.moduleAt(path.resolve(path.dirname(instance.filename), id)) : null;
  }
}

/** What `require` gives for a module. */
export function requireInstance(instance: ModuleInstance, parent: NodeJS.Module | null): unknown {
  const { kind } = instance.manifest;
  if (kind === 'esm') return instance.graph.requireEsm(instance, parent?.filename ?? 'The app');
  return runCommonJs(instance, parent).exports as unknown;
}

/** Runs a CommonJS module, or reads JSON, unless it has been; in a cycle its `exports` are what there is so far. */
function runCommonJs(instance: ModuleInstance, parent: NodeJS.Module | null): NodeJS.Module {
  const known = instance.commonJs?.module;
  const module = known ?? createModule(instance, parent);
  if (parent?.children.includes(module) === false) parent.children.push(module);
  if (known !== undefined) return known;
  instance.commonJs = { module };
  try {
    if (instance.manifest.kind === 'json') module.exports = JSON.parse(instance.graph.readCompiled(instance));
    else runAsOwn(instance, () => execute(instance, module));
  } catch (error) {
    instance.commonJs = null;
    if (parent !== null) parent.children = parent.children.filter((child) => child !== module);
    throw error;
  }
  module.loaded = true;
  return module;
}

type CommonJsFunction = (...parameters: unknown[]) => unknown;

function execute(instance: ModuleInstance, module: NodeJS.Module): void {
  const { filename, graph } = instance;
  const run = graph.compile(instance)(createModuleApi(instance)) as CommonJsFunction;
  const exports = module.exports as unknown;
  run.call(exports, exports, module.require, module, filename, path.dirname(filename));
}

/** The `module` of an ES module that has the names of CommonJS. */
export function moduleOf(instance: ModuleInstance): NodeJS.Module {
  instance.commonJs ??= { module: createModule(instance, null) };
  return instance.commonJs.module;
}

function createModule(instance: ModuleInstance, parent: NodeJS.Module | null): NodeJS.Module {
  const { filename, graph, manifest } = instance;
  const isMain = graph.entry === manifest.path;
  const module = new Module(filename);
  if (isMain) module.id = '.';
  const parentRef = parent === null ? null : new WeakRef(parent);
  module.filename = filename;
  module.paths = nodeModulePaths(path.dirname(filename));
  const require = createModuleRequire(instance, module);
  Object.defineProperty(module, 'require', { value: require, writable: true, configurable: true });
  // A shared module must not keep the version alive that required it first.
  Object.defineProperty(module, 'parent', { get: () => parentRef?.deref() ?? (isMain ? null : undefined) });
  return module;
}

function nodeModulePaths(directory: string): string[] {
  const parent = path.dirname(directory);
  const own = path.basename(directory) === 'node_modules' ? [] : [path.join(directory, 'node_modules')];
  return parent === directory ? own : [...own, ...nodeModulePaths(parent)];
}

/** Named imports of a CommonJS module see the values that `module.exports` had when it was evaluated. */
function copyExports(instance: ModuleInstance, module: NodeJS.Module): void {
  const { environment, wantedNames } = instance;
  const exports = module.exports as unknown;
  const isObject = (typeof exports === 'object' && exports !== null) || typeof exports === 'function';
  for (const name of [...exportedNames(instance), ...wantedNames]) {
    if (name === 'default' || name === 'module.exports') continue;
    if (module.loaded && name in environment && environment[name] !== undefined) continue;
    environment[name] =
      isObject && Object.hasOwn(exports, name) ? (Reflect.get(exports, name) as unknown) : undefined;
  }
  environment['default'] = exports;
  environment['module.exports'] = exports;
}

/** The file that a URL or a path names; null for another scheme. */
export function toFile(location: string): string | null {
  if (path.isAbsolute(location)) return location;
  return location.startsWith('file:') ? fileURLToPath(location.replace(/[?#].*$/, '')) : null;
}
