/** `import()` in a module of the app, and `require` of an ES module. */

import { isBuiltin } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { MidflightError } from '../errors.ts';
import { evaluate, needsAwait } from './evaluate.ts';
import { midflightSubpath, resolveFrom } from './externals.ts';
import { namespaceOf, requiredNamespace } from './link-namespace.ts';
import { link, whenLinked } from './link.ts';
import { loadClosure, loadClosureNow } from './link-load.ts';
import { mayOmitType } from '../protocol/import-attributes.ts';
import { targetKey, type ModuleInstance } from './module-instance.ts';

/** Imports what `specifier` means in `importer`: a module of its own generation, or one that Node loads. */
export async function importModule(
  importer: ModuleInstance,
  specifier: unknown,
  options: ImportCallOptions | undefined,
): Promise<object> {
  const text = `${specifier as string}`;
  const type = readType(options);
  const target =
    importer.targets.get(targetKey(text, 'dynamic')) ?? importer.targets.get(targetKey(text, 'static'));
  if (target?.kind === 'module') return await importInstance(as(importer, type, target.node));
  if (target?.kind === 'foreign' && type === undefined) return await target.load();
  const subpath = midflightSubpath(text);
  if (subpath !== null) return importer.graph.midflight(subpath);
  return isBuiltin(text) ? ((await import(text)) as object) : await importComputed(importer, text, options);
}

/** Loads, links and evaluates an instance; gives its namespace. */
export async function importInstance(instance: ModuleInstance): Promise<object> {
  await loadClosure(instance);
  link(instance);
  await whenLinked();
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

/** `with { type }` of a second argument. ECMA-262 13.3.10.2 EvaluateImportCall */
function readType(options: unknown): string | undefined {
  if (options === undefined) return undefined;
  if (!isObject(options)) throw new TypeError('The second argument to import() must be an object');
  const attributes: unknown = Reflect.get(options, 'with');
  if (attributes === undefined) return undefined;
  if (!isObject(attributes)) throw new TypeError("The 'with' option must be an object");
  const entries = Object.entries(attributes) as [string, unknown][];
  for (const [name, value] of entries) {
    if (typeof value !== 'string') throw new TypeError('Import attribute value must be a string');
    if (name !== 'type' || value !== 'json') {
      const problem = `Import attribute "${name}" with value "${value}" is not supported`;
      throw attributeError('ERR_IMPORT_ATTRIBUTE_UNSUPPORTED', problem);
    }
  }
  return entries[0]?.[1] as string | undefined;
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

/** An instance that is imported as what it is. Else the error is Node's own. */
function as(importer: ModuleInstance, type: string | undefined, instance: ModuleInstance): ModuleInstance {
  const isJson = instance.manifest.kind === 'json';
  if (isJson === (type === 'json') || (isJson && mayOmitType(importer.manifest.path))) return instance;
  const { url } = instance;
  throw isJson
    ? attributeError(
        'ERR_IMPORT_ATTRIBUTE_MISSING',
        `Module "${url}" needs an import attribute of "type: json"`,
      )
    : attributeError('ERR_IMPORT_ATTRIBUTE_TYPE_INCOMPATIBLE', `Module "${url}" is not of type "json"`);
}

function attributeError(code: string, message: string): TypeError {
  return Object.assign(new TypeError(message), { code });
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
  if (instance !== null) return await importInstance(as(importer, readType(options), instance));
  const isAddon = path.extname(url) === '.node';
  return isAddon
    ? { default: graph.createRequire(importer)(fileURLToPath(url)) as unknown }
    : await importUrl(url, options);
}

async function importUrl(url: string, options: ImportCallOptions | undefined): Promise<object> {
  return (await (options === undefined ? import(url) : import(url, options))) as object;
}
