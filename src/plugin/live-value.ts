/** An object that is, for whoever has it, always that of the version that is called. */

/** Reads go to what `current` gives then; nothing can be written. */
export function createLiveValue(current: () => object): object {
  const target = Array.isArray(current()) ? [] : {};
  return new Proxy(target, {
    get(_, key) {
      const owner = current();
      const value = Reflect.get(owner, key) as unknown;
      return typeof value === 'function' ? (value.bind(owner) as unknown) : value;
    },
    has: (_, key) => Reflect.has(current(), key),
    ownKeys: () => Reflect.ownKeys(current()),
    getOwnPropertyDescriptor(_, key) {
      const found = Reflect.getOwnPropertyDescriptor(current(), key);
      if (found === undefined) return undefined;
      // The target's own is `length` of an array, which must not differ in kind.
      return Object.hasOwn(target, key) ? { ...found, writable: true } : { ...found, configurable: true };
    },
    getPrototypeOf: () => Reflect.getPrototypeOf(current()),
    set: () => false,
    defineProperty: () => false,
    deleteProperty: () => false,
    preventExtensions: () => false,
  });
}
