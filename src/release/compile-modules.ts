/** A source tree's modules: found from the entry on, transformed, resolved and checked. */

import type { MidflightError } from '../errors.ts';
import type { ManifestModule, ManifestModules } from '../protocol/manifest.ts';
import { createModuleIndex, type IndexOptions } from './module-index.ts';

export interface CompileOptions extends IndexOptions {
  /** Stores compiled code under its hash. The same hash may come more than once. */
  readonly writeCompiled: (hash: string, code: string) => Promise<void> | void;
  /** Stores a source map under its own hash, likewise. */
  readonly writeMap?: (mapHash: string, map: string) => Promise<void> | void;
  /** With `before`: the files that may differ from those. What `before` has is stored already. */
  readonly changes?: readonly string[];
}

export interface CompiledModules {
  readonly modules: ManifestModules;
  /** The text of a file as it was compiled; null for one that was not read. */
  readonly textOf: (path: string) => string | null;
  /** Imports that can't be linked. */
  readonly problems: readonly MidflightError[];
}

/** Compiles everything that the entry can lead to. When some module asks for what only run time tells, or knows where it
 *  is, that is every file of the tree.
 *  Errors: ERR_MIDFLIGHT_SYNTAX of a file that is imported; ERR_MIDFLIGHT_ENTRY_MISSING. */
export async function compileModules(options: CompileOptions): Promise<CompiledModules> {
  const index = createModuleIndex(options);
  const { before } = options;
  const { modules, problems } = await index.update(before && options.changes);
  for (const module of modules.values()) {
    if (isSame(before?.get(module.path), module)) continue;
    const { code, map } = index.compiledOf(module);
    await options.writeCompiled(module.hash, code);
    if (map !== null && module.mapHash !== undefined) await options.writeMap?.(module.mapHash, map);
  }
  return { modules, textOf: (at) => index.textOf(at), problems };
}

function isSame(before: ManifestModule | undefined, { hash, mapHash }: ManifestModule): boolean {
  return before?.hash === hash && before.mapHash === mapHash;
}
