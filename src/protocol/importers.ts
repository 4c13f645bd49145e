/**
 * By module, those that may hold on to it: the modules that import it; and for one that no request names, the modules that
 * request what only run time tells, or that know where they are and may have a package load what is beside them.
 */

import type { ManifestModule, ManifestModules } from './manifest.ts';

/** The paths of a module's importers. */
export type Importers = (path: string) => readonly string[];

interface Facts {
  readonly importers: ReadonlyMap<string, readonly string[]>;
  readonly requesters: readonly string[];
}

/** Of maps from which others are derived. */
const known = new WeakMap<ReadonlyMap<string, ManifestModule | undefined>, Facts>();

/** Makes the finder of importers in these modules. What was worked out of unchanged modules is used again. */
export function toImporters(modules: ManifestModules): Importers {
  const { base, layer } = modules.layers();
  const ofBase = factsOf(base);
  const ofLayer = factsOf(layer);
  const requesters = [...ofBase.requesters.filter((path) => !layer.has(path)), ...ofLayer.requesters];
  return (path) => {
    const direct = [
      ...(ofBase.importers.get(path) ?? []).filter((importer) => !layer.has(importer)),
      ...(ofLayer.importers.get(path) ?? []),
    ];
    return modules.get(path)?.isComputedTarget === true ? [...new Set([...direct, ...requesters])] : direct;
  };
}

/** The modules that may load what no request names. */
export function hasRequesters(modules: ManifestModules): boolean {
  const { base, layer } = modules.layers();
  return factsOf(layer).requesters.length > 0 || factsOf(base).requesters.some((path) => !layer.has(path));
}

function factsOf(modules: ReadonlyMap<string, ManifestModule | undefined>): Facts {
  const facts = known.get(modules) ?? collect(modules);
  known.set(modules, facts);
  return facts;
}

function collect(modules: ReadonlyMap<string, ManifestModule | undefined>): Facts {
  const importers = new Map<string, string[]>();
  const requesters: string[] = [];
  for (const module of modules.values()) {
    if (module === undefined) continue;
    if (module.hasComputedRequest || module.usesLocation) requesters.push(module.path);
    for (const target of new Set(targetsOf(module))) {
      const list = importers.get(target);
      if (list === undefined) importers.set(target, [module.path]);
      else list.push(module.path);
    }
  }
  return { importers, requesters };
}

/** The modules that the requests of one lead to. */
export function targetsOf({ requests }: ManifestModule): string[] {
  return requests.flatMap(({ target }) => (target.kind === 'module' ? [target.path] : []));
}
