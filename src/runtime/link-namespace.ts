/** Namespace objects. ECMA-262 10.4.6, as near as plain objects come: live, sorted, without prototype, not writable. */

import {
  exportedNames,
  resolveExport,
  type ExportResolution,
  type LinkDependency,
} from '../protocol/resolve-export.ts';
import type { ModuleInstance } from './module-instance.ts';

/** The namespace of an instance, always the same object. */
export function namespaceOf(instance: ModuleInstance): object {
  return (instance.namespace ??= createNamespace(gettersOf(instance)));
}

/** What `require` gives for an ES module. Node marks those with a default export for transpiled importers. */
export function requiredNamespace(instance: ModuleInstance): unknown {
  const namespace = namespaceOf(instance) as Record<string, unknown>;
  if ('module.exports' in namespace) return namespace['module.exports'];
  if (!('default' in namespace) || '__esModule' in namespace) return namespace;
  const known = marked.get(namespace);
  if (known !== undefined) return known;
  const created = createNamespace(gettersOf(instance).set('__esModule', () => true));
  marked.set(namespace, created);
  return created;
}

/** The namespace of whatever an import leads to. */
export function dependencyNamespace(dependency: LinkDependency<ModuleInstance>): object | null {
  if (dependency.kind === 'module') return namespaceOf(dependency.node);
  return dependency.kind === 'foreign' ? dependency.namespace : null;
}

const marked = new WeakMap<object, object>();

function gettersOf(instance: ModuleInstance): Map<string, () => unknown> {
  const getters = new Map<string, () => unknown>();
  for (const name of exportedNames(instance)) {
    const getter = getterFor(instance, resolveExport(instance, name));
    if (getter !== null) getters.set(name, getter);
  }
  return getters;
}

function getterFor(
  instance: ModuleInstance,
  resolution: ExportResolution<ModuleInstance>,
): (() => unknown) | null {
  switch (resolution.kind) {
    case 'binding': {
      const { node, name } = resolution;
      const { environment, slot } = node;
      if (node === instance || slot === null) return () => environment[name];
      // What a module re-exports may be replaced in place, and the module that re-exports it stays.
      return () => (slot.seen() ?? node).environment[name];
    }
    case 'foreign': {
      const { dependency, name } = resolution;
      return () => Reflect.get(dependency.namespace ?? {}, name) as unknown;
    }
    case 'namespace': {
      const { dependency } = resolution;
      return () => dependencyNamespace(dependency);
    }
    case 'unknown':
    case 'missing':
    case 'ambiguous':
      return null;
  }
}

function createNamespace(getters: ReadonlyMap<string, () => unknown>): object {
  const namespace = Object.create(null) as object;
  for (const name of [...getters.keys()].toSorted()) {
    Object.defineProperty(namespace, name, { get: getters.get(name), enumerable: true });
  }
  Object.defineProperty(namespace, Symbol.toStringTag, { value: 'Module' });
  return Object.preventExtensions(namespace);
}
