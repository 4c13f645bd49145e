/** `import()` in a module of the app, and `require` of an ES module. */

import { isBuiltin } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { MidflightError } from '../errors.ts';
import { evaluate, needsAwait } from './evaluate.ts';
import { midflightSubpath, resolveFrom } from './externals.ts';
import { namespaceOf, requiredNamespace } from './link-namespace.ts';
import { link } from './link.ts';
import { loadClosure, loadClosureNow } from './link-load.ts';
import { targetKey, type ModuleInstance } from './module-instance.ts';

/** Imports what `specifier` means in `importer`: a module of its own generation, or one that Node loads. */
export async function importModule(
  importer: ModuleInstance,
  specifier: unknown,
  options: ImportCallOptions | undefined,
): Promise<object> {
  const text = `${specifier as string}`;
  const target =
    importer.targets.get(targetKey(text, 'dynamic')) ?? importer.targets.get(targetKey(text, 'static'));
  if (target?.kind === 'module') return await importInstance(target.node);
  if (target?.kind === 'foreign') return await target.load();
  const subpath = midflightSubpath(text);
  if (subpath !== null) return importer.graph.midflight(subpath);
  return isBuiltin(text) ? ((await import(text)) as object) : await importComputed(importer, text, options);
}

/** Loads, links and evaluates an instance; gives its namespace. */
export async function importInstance(instance: ModuleInstance): Promise<object> {
  await loadClosure(instance);
  link(instance);
  await evaluate(instance);
  return namespaceOf(instance);
}

/** Evaluates an ES module without waiting.
 *  Errors: ERR_MIDFLIGHT_MODULE_REQUIRES_ASYNC when it can't be. */
export function requireEsm(instance: ModuleInstance, importer: string): unknown {
  // In a cycle its namespace is what there is so far.
  if (instance.evaluation.status === 'evaluating') return requiredNamespace(instance);
  loadClosureNow(instance);
  link(instance);
  if (needsAwait(instance)) {
    throw new MidflightError('ERR_MIDFLIGHT_MODULE_REQUIRES_ASYNC', [importer, instance.manifest.path]);
  }
  void evaluate(instance);
  const { error } = instance.evaluation;
  if (error !== null) throw error.value;
  return requiredNamespace(instance);
}

async function importComputed(
  importer: ModuleInstance,
  specifier: string,
  options: ImportCallOptions | undefined,
): Promise<object> {
  const graph = importer.graph.currentFor(importer);
  const isPath = /^(?:\.{0,2}\/|file:)/.test(specifier);
  const url = isPath ? new URL(specifier, importer.url).href : resolveFrom(importer.url, specifier);
  const instance = url.startsWith('file:') ? graph.moduleAt(fileURLToPath(url.replace(/[?#].*$/, ''))) : null;
  if (instance !== null) return await importInstance(instance);
  const isAddon = path.extname(url) === '.node';
  return isAddon
    ? { default: graph.createRequire(importer)(fileURLToPath(url)) as unknown }
    : await importUrl(url, options);
}

async function importUrl(url: string, options: ImportCallOptions | undefined): Promise<object> {
  return (await (options === undefined ? import(url) : import(url, options))) as object;
}
