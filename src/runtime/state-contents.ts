/** Copies and replaces what a state holds. A state's object keeps its identity, because modules hold it; only its contents change. */

/** Makes `target` hold what `source` holds. False when that can't be done without another identity. */
export function replaceContents(target: unknown, source: unknown): boolean {
  if (target === source) return true;
  if (!isObject(target) || !isObject(source)) return false;
  if (Object.getPrototypeOf(target) !== Object.getPrototypeOf(source)) return false;
  if (target instanceof Map) refill(target, source as Map<unknown, unknown>);
  else if (target instanceof Set) refillSet(target, source as Set<unknown>);
  else if (target instanceof Date) target.setTime((source as Date).getTime());
  else if (Array.isArray(target)) target.splice(0, target.length, ...(source as unknown[]));
  else if (ArrayBuffer.isView(target)) return refillView(target, source as ArrayBufferView);
  else refillFields(target, source);
  return true;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function refill(target: Map<unknown, unknown>, source: Map<unknown, unknown>): void {
  target.clear();
  for (const [key, value] of source) target.set(key, value);
}

function refillSet(target: Set<unknown>, source: Set<unknown>): void {
  target.clear();
  for (const value of source) target.add(value);
}

function refillView(target: ArrayBufferView, source: ArrayBufferView): boolean {
  if (target.byteLength !== source.byteLength) return false;
  const bytes = new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(bytes);
  return true;
}

function refillFields(target: object, source: object): void {
  for (const key of Reflect.ownKeys(target))
    if (!Object.hasOwn(source, key)) Reflect.deleteProperty(target, key);
  Object.assign(target, source);
}
