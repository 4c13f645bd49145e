/** Copies and replaces what a state holds. A state's object keeps its identity, because modules hold it; only its contents change. */

/** A structured clone that is as good as the original.
 *  Errors: a DataCloneError, or a TypeError where the clone would be of another class. */
export function copyData(value: unknown): unknown {
  const copy: unknown = structuredClone(value);
  requireGoodCopy(value, copy);
  return copy;
}

/** Errors: a TypeError where something in the copy is of another class. */
export function requireGoodCopy(value: unknown, copy: unknown): void {
  const lost = findLostClass(value, copy);
  if (lost !== null) throw new TypeError(`it holds a ${lost}, and a copy of that would be a plain object`);
}

/** True where nothing but fields and elements makes the value: no class that may keep something to itself. */
export function isTransparent(value: unknown): boolean {
  if (!isObject(value) || ArrayBuffer.isView(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || transparent.has(prototype as object);
}

/** Makes `target` hold what `source` holds; of what is nested, too, each object stays that has its like in the same
 *  place, so that code may have taken hold of it. `source` must be of no further use to anybody else.
 *  False when that can't be done without another identity. */
export function replaceContents(target: unknown, source: unknown): boolean {
  if (target === source) return true;
  if (!isObject(target) || !isObject(source) || !canHold(target, source)) return false;
  const replacement = new Replacement();
  replacement.begin(target, source);
  return true;
}

const transparent: ReadonlySet<object> = new Set([
  Object.prototype,
  Array.prototype,
  Map.prototype,
  Set.prototype,
  Date.prototype,
]);

function findLostClass(value: unknown, copy: unknown): string | null {
  const seen = new Set<object>();
  const waiting: object[] = [];
  // Two stacks in one: an object, and its clone above it.
  const look = (one: unknown, other: unknown): void => {
    if (isObject(one) && isObject(other) && !seen.has(one)) waiting.push(one, other);
  };
  look(value, copy);
  for (let other = waiting.pop(); other !== undefined; other = waiting.pop()) {
    const one = waiting.pop() as object;
    if (seen.has(one)) continue;
    seen.add(one);
    if (Object.getPrototypeOf(one) !== toClonedPrototype(one, other)) return one.constructor?.name ?? 'class';
    if (!ArrayBuffer.isView(one)) lookInto(one, other, look);
  }
  return null;
}

/** A clone of an object without prototype has one, which is no loss. */
function toClonedPrototype(original: object, copy: object): unknown {
  const prototype: unknown = Object.getPrototypeOf(copy);
  return prototype === Object.prototype && Object.getPrototypeOf(original) === null ? null : prototype;
}

function lookInto(one: object, other: object, look: (one: unknown, other: unknown) => void): void {
  for (const key of Object.keys(one)) look(Reflect.get(one, key), Reflect.get(other, key));
  if (one instanceof Map) {
    const others = (other as Map<unknown, unknown>).entries();
    for (const [key, value] of one) {
      const [otherKey, otherValue] = others.next().value ?? [];
      look(key, otherKey);
      look(value, otherValue);
    }
  } else if (one instanceof Set) {
    const others = (other as Set<unknown>).values();
    for (const member of one) look(member, others.next().value);
  }
}

function canHold(target: object, source: object): boolean {
  if (Object.getPrototypeOf(target) !== Object.getPrototypeOf(source)) return false;
  if (!ArrayBuffer.isView(target)) return Object.isExtensible(target);
  return target.byteLength === (source as ArrayBufferView).byteLength;
}

/** One run of replaceContents(): which object of the target stands for which of the source. */
class Replacement {
  readonly #standIns = new Map<object, object>();
  readonly #taken = new Set<object>();
  readonly #waiting: object[] = [];

  begin(target: object, source: object): void {
    this.#stand(source, target);
    for (let next = this.#waiting.pop(); next !== undefined; next = this.#waiting.pop()) {
      this.#fill(this.#standIns.get(next) ?? next, next);
    }
  }

  /** What is to be where `source` was. A reference to the old root or a cycle leads to the stand-in as well. */
  #resolve(source: unknown, target: unknown): unknown {
    if (!isObject(source)) return source;
    const known = this.#standIns.get(source);
    if (known !== undefined) return known;
    const isFit =
      isObject(target) && !this.#taken.has(target) && isTransparent(source) && canHold(target, source);
    return this.#stand(source, isFit ? target : source);
  }

  #stand(source: object, standIn: object): object {
    this.#standIns.set(source, standIn);
    this.#taken.add(standIn);
    this.#waiting.push(source);
    return standIn;
  }

  #fill(target: object, source: object): void {
    // What a class keeps to itself can't be followed; it stays as it is.
    if (target === source && !isTransparent(source)) return;
    if (ArrayBuffer.isView(source)) return fillBytes(target as ArrayBufferView, source);
    if (source instanceof Map) this.#fillMap(target as Map<unknown, unknown>, source);
    else if (source instanceof Set) this.#fillSet(target as Set<unknown>, source);
    else if (source instanceof Date) (target as Date).setTime(source.getTime());
    this.#fillFields(target, source);
  }

  #fillMap(target: Map<unknown, unknown>, source: Map<unknown, unknown>): void {
    let isSame = target === source;
    const keys: unknown[] = [];
    const values: unknown[] = [];
    for (const [key, value] of source) {
      const newKey = this.#resolve(key, undefined);
      const newValue = this.#resolve(value, target.get(key));
      isSame &&= newKey === key && newValue === value;
      keys.push(newKey);
      values.push(newValue);
    }
    if (isSame) return;
    target.clear();
    for (const [index, key] of keys.entries()) target.set(key, values[index]);
  }

  #fillSet(target: Set<unknown>, source: Set<unknown>): void {
    const members = [...source].map((member) => this.#resolve(member, undefined));
    target.clear();
    for (const member of members) target.add(member);
  }

  #fillFields(target: object, source: object): void {
    if (Array.isArray(target)) target.length = (source as unknown[]).length;
    for (const key of enumerableKeys(target)) {
      if (!Object.hasOwn(source, key)) Reflect.deleteProperty(target, key);
    }
    for (const key of enumerableKeys(source)) {
      const before: unknown = Reflect.get(target, key);
      const value = this.#resolve(Reflect.get(source, key), before);
      if (value !== before || !Object.hasOwn(target, key)) Reflect.set(target, key, value);
    }
  }
}

function enumerableKeys(value: object): PropertyKey[] {
  const symbols = Object.getOwnPropertySymbols(value);
  if (symbols.length === 0) return Object.keys(value);
  return Reflect.ownKeys(value).filter((key) => Object.prototype.propertyIsEnumerable.call(value, key));
}

function fillBytes(target: ArrayBufferView, source: ArrayBufferView): void {
  const bytes = new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(bytes);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
