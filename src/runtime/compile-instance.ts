/** The code of an instance, compiled so that V8 can collect it again: once for all versions that have the same. */

import { compileFunction, constants } from 'node:vm';
import type { ModuleGraphOptions } from './module-graph.ts';
import type { CompiledModule, ModuleInstance } from './module-instance.ts';
import { leadsToBoundary, toRelinkable } from './replace-in-place.ts';
import { mapPositions, toText, type Script } from './source-positions.ts';

/** Code whose import parameters can be changed. */
const relinkable = new WeakSet<CompiledModule>();

/** Compiles the code of an instance, unless a version before had the same in the form that it needs. */
export function compileInstance(
  instance: ModuleInstance,
  { readCompiled, findMap }: Pick<ModuleGraphOptions, 'readCompiled' | 'findMap'>,
): CompiledModule {
  const { compiled, manifest, filename } = instance;
  const isRelinkable = leadsToBoundary(instance);
  if (compiled !== null && (!isRelinkable || relinkable.has(compiled))) return compiled;
  const code = readCompiled(manifest);
  const map = findMap?.(manifest) ?? null;
  if (!isRelinkable) return compile({ code, filename, map });
  const fresh = compile({ ...toRelinkable(code), filename, map });
  relinkable.add(fresh);
  return fresh;
}

/** Without a function for `importModuleDynamically`, so that no global table keeps the code (nodejs/node#63186). What Node's own
 *  loader is asked for by code in `eval` comes back by the native bridge. */
function compile(script: Script): CompiledModule {
  const { filename, lineOffset = 0 } = script;
  const importModuleDynamically = constants.USE_MAIN_CONTEXT_DEFAULT_LOADER;
  const options = { filename, lineOffset, importModuleDynamically };
  const compiled = (compileFunction(toText(script), [], options) as () => CompiledModule)();
  mapPositions(compiled, script);
  return compiled;
}
