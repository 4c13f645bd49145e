/** What happens around a module that is replaced in place: the importers that stay get its new version's bindings. */

import { acceptsItself } from '../protocol/replace-in-place.ts';
import type { Importers } from '../protocol/importers.ts';
import type { ChunkedMap } from './chunked-map.ts';
import { renewNamespace } from './link-namespace.ts';
import { relink } from './link.ts';
import type { ModuleGraph } from './module-graph.ts';
import { targetKey, type ModuleInstance } from './module-instance.ts';

/** Makes the versions that a graph has the current ones, and leads the modules that it shares to them. Costs nothing where
 *  nothing is replaced. */
export function replaceInPlace({ instances, lineage }: ModuleGraph, importers: Importers): void {
  const replaced: string[] = [];
  for (const path of lineage.slotted) {
    const instance = instances.get(path);
    const slot = instance?.slot ?? null;
    if (instance === undefined || slot === null || slot.current === instance) continue;
    slot.switchTo(instance);
    replaced.push(path);
  }
  const affected = [...findImporters(replaced, instances, importers)].flatMap(
    (path) => instances.get(path) ?? [],
  );
  for (const importer of affected) retarget(importer, instances);
  // All of them lead to the new versions by now, whichever of them imports another.
  for (const importer of affected) renewNamespace(importer);
  for (const importer of affected) relink(importer);
}

/** The modules that import one of these, also by way of modules that only pass its exports on. */
function findImporters(
  replaced: readonly string[],
  instances: ChunkedMap<ModuleInstance>,
  importers: Importers,
): Set<string> {
  const found = new Set<string>();
  const queue = [...replaced];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    for (const importer of importers(path)) {
      if (found.has(importer)) continue;
      found.add(importer);
      if (passesOn(instances.get(importer))) queue.push(importer);
    }
  }
  return found;
}

function passesOn(instance: ModuleInstance | undefined): boolean {
  if (instance === undefined) return false;
  const { indirectExports, starExports } = instance.manifest;
  return indirectExports.length > 0 || starExports.length > 0;
}

function retarget({ targets }: ModuleInstance, instances: ChunkedMap<ModuleInstance>): void {
  for (const [key, target] of targets) {
    if (target.kind !== 'module') continue;
    const node = instances.get(target.node.manifest.path);
    if (node !== undefined && node !== target.node) targets.set(key, { kind: 'module', node });
  }
}

/** The text of a module whose import parameters can be changed later. What is put in has a line of its own, above the first,
 *  so that the module's code keeps its places. */
export function toRelinkable(code: string): { readonly code: string; readonly lineOffset: number } {
  const [head, list = ''] = opening.exec(code) ?? [];
  const [api, , ...parameters] = list.split(',');
  if (head === undefined || parameters.length === 0) return { code, lineOffset: 0 };
  const setter = `${api}.relink=(...$)=>{[${parameters.join(',')}]=$};`;
  return { code: `${head}${setter}\n${' '.repeat(head.length)}${code.slice(head.length)}`, lineOffset: -1 };
}

const opening = /^"use strict";return (?:async )?function\*\(([^)]*)\)\{/;

/** True where an import may come from a module that is replaced in place. All other modules keep parameters that V8 knows to be
 *  constant. */
export function leadsToBoundary({ manifest, targets }: ModuleInstance): boolean {
  if (manifest.imports.length === 0) return false;
  const accepted = manifest.hot?.acceptedDependencies ?? [];
  return manifest.requests.some(({ specifier, phase }) => {
    const target = phase === 'static' ? targets.get(targetKey(specifier, phase)) : undefined;
    if (target?.kind !== 'module') return false;
    return accepted.includes(specifier) || isBoundary(target.node, new Set());
  });
}

/** True for a module that accepts itself, and for one that passes on what such a module exports. */
function isBoundary(instance: ModuleInstance, visited: Set<ModuleInstance>): boolean {
  if (visited.has(instance)) return false;
  visited.add(instance);
  const { hot, requests } = instance.manifest;
  if (acceptsItself(instance.manifest.hot)) return true;
  if (!passesOn(instance)) return false;
  return requests.some(({ specifier, phase }) => {
    const target = instance.targets.get(targetKey(specifier, phase));
    if (target?.kind !== 'module') return false;
    return hot?.acceptedDependencies.includes(specifier) === true || isBoundary(target.node, visited);
  });
}
