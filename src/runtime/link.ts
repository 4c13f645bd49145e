/** Linking: every import of every module gets its binding, or nothing runs. ECMA-262 16.2.1.6.1.2 Link. */

import { MidflightError } from '../errors.ts';
import type { ImportBinding } from '../protocol/manifest.ts';
import { resolveImport, type ExportResolution } from '../protocol/resolve-export.ts';
import { createModuleApi } from './link-api.ts';
import { dependencyNamespace } from './link-namespace.ts';
import { staticDependencies, viewedFrom, type ModuleInstance } from './module-instance.ts';

/** Links an instance and all that it imports; all of them must be loaded.
 *  Errors: ERR_MIDFLIGHT_EXPORT_MISSING, ERR_MIDFLIGHT_EXPORT_AMBIGUOUS. */
export function link(instance: ModuleInstance): void {
  const stack: ModuleInstance[] = [];
  try {
    viewedFrom(instance.graph, () => linkFrom(instance, stack, 0));
  } catch (error) {
    for (const { evaluation } of stack) evaluation.status = 'unlinked';
    throw error;
  }
}

/** Gives a linked instance the bindings that its imports have now, after a module was replaced in place. */
export function relink(instance: ModuleInstance): void {
  if (instance.relink === null) return;
  const parameters = viewedFrom(instance.graph, () => toParameters(instance));
  instance.relink(...parameters);
}

function toParameters(instance: ModuleInstance): (object | null)[] {
  return instance.manifest.imports.map((binding) => toParameter(instance, binding));
}

/** Resolves when all that is linked can be evaluated: an async generator's first step ends later than it is asked for, and
 *  until then a second one would not begin at once, as top-level code has to. */
export function whenLinked(): Promise<unknown> {
  return lastStep;
}

/** Microtasks run in order, so what was linked before is ready, too. */
let lastStep: Promise<unknown> = Promise.resolve();

function linkFrom(instance: ModuleInstance, stack: ModuleInstance[], start: number): number {
  const { evaluation, manifest } = instance;
  if (manifest.kind !== 'esm' || evaluation.status !== 'unlinked') return start;
  evaluation.status = 'linking';
  evaluation.dfsIndex = start;
  evaluation.dfsAncestorIndex = start;
  stack.push(instance);
  let index = start + 1;
  const dependencies = staticDependencies(instance);
  for (const dependency of dependencies) {
    index = linkFrom(dependency, stack, index);
    if (dependency.evaluation.status !== 'linking') continue;
    evaluation.dfsAncestorIndex = Math.min(
      evaluation.dfsAncestorIndex,
      dependency.evaluation.dfsAncestorIndex,
    );
  }
  if (evaluation.dfsAncestorIndex === evaluation.dfsIndex) {
    const members = stack.slice(stack.indexOf(instance));
    linkComponent(members);
    stack.length -= members.length;
  }
  return index;
}

/** Links modules that import each other; mostly it is only one. */
function linkComponent(members: readonly ModuleInstance[]): void {
  const parameters = members.map((member) => {
    checkIndirectExports(member);
    return toParameters(member);
  });
  for (const [index, member] of members.entries()) {
    const compiled = member.graph.compile(member);
    const api = createModuleApi(member);
    const run = compiled.call(undefined, api, member.environment, ...(parameters[index] ?? []));
    const generator = run as Iterator<unknown> | AsyncIterator<unknown>;
    // The first step writes what is hoisted and stops before the module's own code.
    const step = generator.next();
    if (step instanceof Promise) lastStep = step;
    member.relink = api.relink ?? null;
    member.evaluation.generator = generator;
    member.evaluation.status = 'linked';
  }
}

function checkIndirectExports(instance: ModuleInstance): void {
  for (const { specifier, imported } of instance.manifest.indirectExports) {
    if (imported !== '*') toParameter(instance, { specifier, name: imported });
  }
}

/** The object of which the module reads the property `name`; for a namespace import the namespace itself. */
function toParameter(
  instance: ModuleInstance,
  { specifier, name, member, isCalled }: ImportBinding,
): object | null {
  const dependency = instance.dependency(specifier, 'static');
  if (name === '*') return dependencyNamespace(dependency);
  const found = resolveImport(dependency, name);
  if (member !== undefined && !isFound(found)) return nothing;
  if (member === 'callee' && !ignoresThis(found)) return dependencyNamespace(dependency);
  switch (found.kind) {
    case 'binding': {
      const { node } = found;
      if (node.manifest.kind === 'cjs') node.wantedNames.add(found.name);
      const called = isCalled === true ? functionNow(node, found.name) : null;
      if (called !== null) return { [name]: called };
      return forward(node.environment, found.name, name);
    }
    case 'foreign':
      return forward((found.dependency.namespace ?? {}) as Record<string, unknown>, found.name, name);
    case 'namespace': {
      const { dependency: source } = found;
      return Object.defineProperty({}, name, { get: () => dependencyNamespace(source) });
    }
    case 'ambiguous':
      throw new MidflightError('ERR_MIDFLIGHT_EXPORT_AMBIGUOUS', [instance.manifest.path, name, specifier]);
    case 'missing':
    case 'unknown':
      throw new MidflightError('ERR_MIDFLIGHT_EXPORT_MISSING', [instance.manifest.path, name, specifier]);
  }
}

/** The function of this very version, where the export is one that stands for all versions: who only calls it need not go through
 *  that, as the parameter is re-pointed when another version is current. Null before it is initialized. */
function functionNow(node: ModuleInstance, name: string): object | null {
  const { slot, environment } = node;
  const value = Object.hasOwn(environment, name) ? environment[name] : null;
  return slot !== null && typeof value === 'function' ? slot.functionNow(node, value) : null;
}

/** What a namespace doesn't have is undefined. */
const nothing: object = Object.freeze(Object.create(null) as object);

function isFound({ kind }: ExportResolution<ModuleInstance>): boolean {
  return kind !== 'missing' && kind !== 'ambiguous' && kind !== 'unknown';
}

/** `ns.name()` may be called on another object than the namespace, as none can tell. */
function ignoresThis(found: ExportResolution<ModuleInstance>): boolean {
  return found.kind === 'binding' && found.node.manifest.ignoresThis.includes(found.name);
}

/** An object with `name` as a property; the owner itself, unless it has it under another name. */
function forward(owner: Record<string, unknown>, ownName: string, name: string): object {
  return ownName === name ? owner : Object.defineProperty({}, name, { get: () => owner[ownName] });
}
