/**
 * Namespace objects: ECMA-262 10.4.6 Module Namespace Exotic Objects, each a Proxy, as only that can refuse writes to what it
 * shows as writable. A read costs some 25 ns, so compiled code reads `ns.name` from the binding itself (`release/transform`).
 *
 * Invariants
 * 1. The target has the same keys, not configurable and writable, and is not extensible, or the Proxy could not show them so.
 * 2. The target's values are only what `util.inspect` shows, which looks past a Proxy: those of the last read. (Node 26 says `Proxy(…)` around them.)
 */

import * as nativeNamespace from '../protocol/resolve-export.ts';
import {
  exportedNames,
  resolveExport,
  type ExportResolution,
  type LinkDependency,
} from '../protocol/resolve-export.ts';
import type { ModuleInstance } from './module-instance.ts';

/** The namespace of an instance, always the same object. */
export function namespaceOf(instance: ModuleInstance): object {
  if (instance.namespace !== null) return instance.namespace;
  instance.namespace = createNamespace(readersOf(instance));
  if (instance.evaluation.status === 'evaluated') refreshNamespace(instance);
  return instance.namespace;
}

/** Leads a module that passes exports on to what these are now. Where it has others than before, it gets another namespace. */
export function renewNamespace(instance: ModuleInstance): void {
  if (instance.namespace === null) return;
  const renewed = readersOf(instance);
  const known = readersByNamespace.get(instance.namespace);
  const required = readersByNamespace.get(marked.get(instance.namespace) ?? {});
  if (known?.size === renewed.size && [...known.keys()].every((name) => renewed.has(name))) {
    for (const [name, reader] of renewed) for (const readers of [known, required]) readers?.set(name, reader);
  } else instance.namespace = null;
}

const readersByNamespace = new WeakMap<object, Readers>();

/** What `require` gives for an ES module. Node marks those with a default export for transpiled importers. */
export function requiredNamespace(instance: ModuleInstance): unknown {
  const namespace = namespaceOf(instance) as Record<string, unknown>;
  if ('module.exports' in namespace) return namespace['module.exports'];
  if (!('default' in namespace) || '__esModule' in namespace) return namespace;
  const known = marked.get(namespace);
  if (known !== undefined) return known;
  const created = createNamespace(readersOf(instance).set('__esModule', () => true));
  marked.set(namespace, created);
  return created;
}

/** The namespace of whatever an import leads to. */
export function dependencyNamespace(dependency: LinkDependency<ModuleInstance>): object | null {
  if (dependency.kind === 'module') return namespaceOf(dependency.node);
  return dependency.kind === 'foreign' ? dependency.namespace : null;
}

/** Has `util.inspect` show the values that a namespace has by now. Called when the module is evaluated. */
export function refreshNamespace({ namespace }: ModuleInstance): void {
  if (namespace === null) return;
  for (const name of Object.getOwnPropertyNames(namespace)) {
    try {
      Reflect.get(namespace, name);
    } catch {
      // Not initialized yet: it is shown as undefined.
    }
  }
}

const marked = new WeakMap<object, object>();

type Reader = () => unknown;
type Readers = Map<string, Reader>;

function readersOf(instance: ModuleInstance): Readers {
  const readers: Readers = new Map();
  for (const name of exportedNames(instance)) {
    const reader = readerFor(instance, resolveExport(instance, name));
    if (reader !== null) readers.set(name, reader);
  }
  return readers;
}

function readerFor(instance: ModuleInstance, resolution: ExportResolution<ModuleInstance>): Reader | null {
  switch (resolution.kind) {
    case 'binding': {
      const { node, name } = resolution;
      const { environment } = node;
      if (node === instance) return () => environment[name];
      // What a module re-exports may be replaced in place, and the module that re-exports it stays.
      return () => seenOf(node).environment[name];
    }
    case 'foreign': {
      const { dependency, name } = resolution;
      return () => Reflect.get(dependency.namespace ?? {}, name) as unknown;
    }
    case 'namespace': {
      const { dependency } = resolution;
      return () =>
        dependency.kind === 'module' ? namespaceOf(seenOf(dependency.node)) : dependencyNamespace(dependency);
    }
    case 'unknown':
    case 'missing':
    case 'ambiguous':
      return null;
  }
}

/** The version of a module that the running code is to see. */
function seenOf(node: ModuleInstance): ModuleInstance {
  return node.slot?.seen() ?? node;
}

/** V8 of Node 24 lets an object that inherits from a namespace have properties of its own, which 10.4.6.9 does not; that of Node 26 does not either. */
const native: object = nativeNamespace;
const setsOnOthers = Reflect.set(native, 'exportedNames', null, {});

type Target = Record<PropertyKey, unknown>;

function createNamespace(unsorted: Readers): object {
  const readers = new Map([...unsorted].toSorted(([left], [right]) => (left < right ? -1 : 1)));
  const target = Object.create(null) as Target;
  for (const name of readers.keys())
    Object.defineProperty(target, name, { value: undefined, writable: true, enumerable: true });
  Object.defineProperty(target, Symbol.toStringTag, { value: 'Module' });
  const namespace: object = new Proxy(Object.preventExtensions(target), {
    get: (_, key) => read(target, readers, key),
    set: (_, key, value, receiver) =>
      setsOnOthers &&
      receiver !== namespace &&
      Reflect.set(Object.create(null) as object, key, value, receiver),
    getOwnPropertyDescriptor: (_, key) => {
      read(target, readers, key);
      return Reflect.getOwnPropertyDescriptor(target, key);
    },
    defineProperty: (_, key, descriptor) => {
      read(target, readers, key);
      return isUnchanged(Reflect.getOwnPropertyDescriptor(target, key), descriptor);
    },
  });
  readersByNamespace.set(namespace, readers);
  return namespace;
}

/** The current value; throws as long as there is none. */
function read(target: Target, readers: Readers, key: PropertyKey): unknown {
  const reader = typeof key === 'string' ? readers.get(key) : undefined;
  return reader === undefined ? target[key] : (target[key] = reader());
}

// 10.4.6.7 [[DefineOwnProperty]]: only a definition that changes nothing is let pass.
function isUnchanged(current: PropertyDescriptor | undefined, wanted: PropertyDescriptor): boolean {
  if (current === undefined || 'get' in wanted || 'set' in wanted) return false;
  const has = (name: keyof PropertyDescriptor): boolean =>
    !(name in wanted) || Object.is(wanted[name], current[name]);
  return has('configurable') && has('enumerable') && has('writable') && has('value');
}
