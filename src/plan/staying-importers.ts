/** The modules that are replaced in place under importers that stay: those whose types have to fit. */

import { toImporters } from '../protocol/importers.ts';
import type { Manifest, ManifestModule } from '../protocol/manifest.ts';
import type { ModuleChange } from './module-changes.ts';

export interface ReplacedModule {
  readonly path: string;
  /** What importers that stay may use of it. */
  readonly exports: readonly string[];
}

/** Empty in most plans. */
export function findReplaced(modules: readonly ModuleChange[], next: Manifest): readonly ReplacedModule[] {
  const inPlace = modules.filter(({ isInPlace }) => isInPlace);
  if (inPlace.length === 0) return [];
  const evaluated = new Set(modules.map(({ path }) => path));
  const importers = toImporters(next.modules);
  return inPlace.flatMap(({ path }) => {
    const module = next.modules.get(path);
    const isUsed = importers(path).some((importer) => !evaluated.has(importer));
    return module === undefined || !isUsed ? [] : [{ path, exports: usableExports(module) }];
  });
}

function usableExports({ localExports, indirectExports, hot }: ManifestModule): readonly string[] {
  const names = [...localExports, ...indirectExports.map(({ name }) => name)];
  const accepted = hot?.acceptedExports ?? null;
  return hot?.acceptsSelf === false && accepted !== null
    ? names.filter((name) => accepted.includes(name))
    : names;
}
