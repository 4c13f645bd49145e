/** `require.cache`: the `module`s of the app's own files by their names, and those that Node has loaded. */

import type { ModuleGraph } from './module-graph.ts';
import type { ModuleInstance } from './module-instance.ts';

/** Makes the object. What is taken out of it runs again when it is next required, and what is put into it is used instead. */
export function createRequireCache(graphNow: () => ModuleGraph, native: NodeJS.Require): object {
  const find = (key: PropertyKey): ModuleInstance | null => {
    const instance = typeof key === 'string' ? graphNow().moduleAt(key) : null;
    return instance?.filename === key && instance.manifest.kind !== 'esm' ? instance : null;
  };
  const get = (key: PropertyKey): unknown =>
    find(key)?.commonJs?.module ?? (Reflect.get(native.cache, key) as unknown);
  return new Proxy(Object.create(null) as object, {
    get: (_, key) => get(key),
    has: (_, key) => get(key) !== undefined,
    set: (_, key, value: unknown) => {
      const instance = find(key);
      if (instance === null) return Reflect.set(native.cache, key, value);
      instance.commonJs = { module: value as NodeJS.Module };
      return true;
    },
    deleteProperty: (_, key) => {
      const instance = find(key);
      if (instance !== null) instance.commonJs = null;
      return Reflect.deleteProperty(native.cache, key);
    },
    ownKeys: () => {
      const own = [...graphNow().instances.values()].filter(({ commonJs }) => commonJs !== null);
      return [...new Set([...own.map(({ filename }) => filename), ...Object.keys(native.cache)])];
    },
    getOwnPropertyDescriptor: (_, key) => {
      const value = get(key);
      return value === undefined
        ? undefined
        : { value, writable: true, enumerable: true, configurable: true };
    },
  });
}
