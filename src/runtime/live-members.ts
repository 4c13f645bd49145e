/**
 * The members of live functions and classes: methods, accessors, statics, and what the app puts there itself.
 *
 * What a version's class has       | on the stable object there is
 * a method                         | one that runs that of the version that is current
 * an accessor                      | likewise
 * a field                          | an accessor to that of the version that is current
 * what has wrapped one of these    | the wrapper as it is; what it has wrapped is live
 */

import { resemble, toMethod, type Aim, type Callable, type Constructor, type Gate } from './live-target.ts';

export interface LiveMembers {
  /** Has the members of `source` on the stable object, and no others. */
  readonly show: (source: object) => void;
  /** Adds what a version that is being prepared has beside those. */
  readonly announce: (source: object) => void;
  /** A version's code is about to run. */
  readonly mark: () => void;
  /** It has run. Moves to `source` what the stable object has got since the mark, and puts back what was there. False where it can't be. */
  readonly absorb: (source: object) => boolean;
}

/** Keeps what a function or class has of its own, and what its prototype has. */
export function createLiveMembers(
  stable: Callable | Constructor,
  { gate, pick }: Pick<Aim<Callable | Constructor>, 'gate' | 'pick'>,
): LiveMembers {
  const own = createHolder(stable, { gate, pick, skipped: ['prototype', 'length', 'name', 'toString'] });
  const prototype: unknown = stable.prototype;
  if (!isObject(prototype)) return own;
  const members = createHolder(prototype, {
    gate,
    pick: () => prototypeOf(pick()),
    skipped: ['constructor'],
  });
  return {
    show(source) {
      own.show(source);
      members.show(prototypeOf(source));
    },
    announce(source) {
      own.announce(source);
      members.announce(prototypeOf(source));
    },
    mark() {
      own.mark();
      members.mark();
    },
    absorb(source) {
      const areStatics = own.absorb(source);
      return members.absorb(prototypeOf(source)) && areStatics;
    },
  };
}

/** An arrow function has none. */
function prototypeOf(source: object): object {
  const prototype: unknown = Reflect.get(source, 'prototype');
  return isObject(prototype) ? prototype : {};
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

interface Holding {
  readonly gate: Gate;
  readonly pick: () => object;
  readonly skipped: readonly PropertyKey[];
}

type Members = Map<PropertyKey, PropertyDescriptor>;

/** Keeps the own members of one object on another that stays. What wraps one of them, as decorators do, is shown as it is; the
 *  member that it has wrapped is live. */
function createHolder(owner: object, { gate, pick, skipped }: Holding): LiveMembers {
  const methods = new Map<PropertyKey, LiveMethod>();
  /** By version what its code has replaced by another member. */
  const wrapped = new WeakMap<object, Members>();
  const shown: Members = new Map();
  const announced: Members = new Map();
  let marked: ReadonlyMap<PropertyKey, PropertyDescriptor> = new Map();
  const wrappedIn = (source: object, key: PropertyKey): PropertyDescriptor | undefined =>
    wrapped.get(source)?.get(key);
  const methodOf = (source: object, key: PropertyKey): Callable | null =>
    valueOf(wrappedIn(source, key) ?? findMember(source, key));
  const toLive = (key: PropertyKey, descriptor: PropertyDescriptor): PropertyDescriptor => {
    if (!isMethod(descriptor)) return toAccessor({ owner, key, descriptor, pick, wrappedIn });
    const method = methods.get(key) ?? createLiveMethod(gate, () => methodOf(pick(), key));
    methods.set(key, method);
    return { ...descriptor, value: method.stable };
  };
  const showOne = (source: object, key: PropertyKey, descriptor: PropertyDescriptor): boolean => {
    const isWrapped = wrappedIn(source, key) !== undefined;
    const live = isWrapped ? descriptor : toLive(key, descriptor);
    const method = isWrapped ? undefined : methods.get(key);
    if (method !== undefined && isMethod(descriptor)) {
      method.last = descriptor.value as Callable;
      resemble(method.stable, method.last);
    }
    shown.set(key, live);
    return Reflect.defineProperty(owner, key, live);
  };
  const take = (source: object, key: PropertyKey, descriptor: PropertyDescriptor): void => {
    const original = Reflect.getOwnPropertyDescriptor(source, key);
    const members = wrapped.get(source) ?? new Map<PropertyKey, PropertyDescriptor>();
    if (original !== undefined && !isField(original)) wrapped.set(source, members.set(key, original));
    Reflect.defineProperty(source, key, descriptor);
  };
  return {
    show(source) {
      const members = membersOf(source, skipped);
      for (const [key, descriptor] of members) showOne(source, key, descriptor);
      for (const [key, method] of methods) method.aimed.target = methodOf(source, key) ?? method.last;
      for (const key of shown.keys()) {
        if (members.has(key)) continue;
        shown.delete(key);
        Reflect.deleteProperty(owner, key);
      }
    },
    announce(source) {
      for (const [key, descriptor] of membersOf(source, skipped)) {
        // Before its static initializers, which may have wrapped it.
        if (announced.has(key)) continue;
        if (!shown.has(key)) showOne(source, key, descriptor);
        // What is to be wrapped is the member itself, not what has wrapped it in the version before.
        else if (!isField(descriptor)) Reflect.defineProperty(owner, key, toLive(key, descriptor));
        announced.set(key, Reflect.getOwnPropertyDescriptor(owner, key) ?? descriptor);
      }
    },
    mark() {
      marked = membersOf(owner, skipped);
      announced.clear();
    },
    absorb(source) {
      let isPutBack = true;
      const members = membersOf(owner, skipped);
      for (const [key, descriptor] of members) {
        const before = marked.get(key);
        const isAnnounced = isSame(descriptor, announced.get(key));
        if (isSame(descriptor, before) || (isAnnounced && before === undefined)) continue;
        // While its code waited, the version, or another one, has become the current one.
        if (isSame(descriptor, shown.get(key))) continue;
        if (!isAnnounced) take(source, key, descriptor);
        const isBack =
          before === undefined
            ? showOne(source, key, descriptor)
            : Reflect.defineProperty(owner, key, before);
        isPutBack = isBack && isPutBack;
      }
      for (const key of new Set([...announced.keys(), ...marked.keys()])) {
        if (members.has(key)) continue;
        Reflect.deleteProperty(source, key);
        const before = marked.get(key);
        if (before !== undefined) Reflect.defineProperty(owner, key, before);
      }
      // What was there belongs to the version before.
      marked = new Map();
      announced.clear();
      return isPutBack;
    },
  };
}

function membersOf(object: object, skipped: readonly PropertyKey[]): Map<PropertyKey, PropertyDescriptor> {
  const members = new Map<PropertyKey, PropertyDescriptor>();
  for (const key of Reflect.ownKeys(object)) {
    const descriptor = skipped.includes(key) ? undefined : Reflect.getOwnPropertyDescriptor(object, key);
    if (descriptor !== undefined) members.set(key, descriptor);
  }
  return members;
}

function isSame(one: PropertyDescriptor, other: PropertyDescriptor | undefined): boolean {
  if (other === undefined) return false;
  const has = (name: keyof PropertyDescriptor): boolean => Object.is(one[name], other[name]);
  return has('value') && has('get') && has('set');
}

interface LiveMethod {
  readonly stable: Callable;
  readonly aimed: Aim<Callable>;
  /** What runs where it was captured and the version that is current has none. */
  last: Callable | null;
}

function createLiveMethod(gate: Gate, find: () => Callable | null): LiveMethod {
  const aimed: Aim<Callable> = {
    gate,
    pick: () => find() ?? (method.last as Callable),
    target: null,
  };
  const method: LiveMethod = { stable: toMethod(aimed), aimed, last: null };
  return method;
}

/** Looks for a member, own or inherited, and runs no accessor. */
function findMember(source: object, key: PropertyKey): PropertyDescriptor | undefined {
  for (let at: object | null = source; at !== null; at = Reflect.getPrototypeOf(at)) {
    const descriptor = Reflect.getOwnPropertyDescriptor(at, key);
    if (descriptor !== undefined) return descriptor;
  }
  return undefined;
}

function valueOf(descriptor: PropertyDescriptor | undefined): Callable | null {
  return typeof descriptor?.value === 'function' ? (descriptor.value as Callable) : null;
}

/** True for what is neither a method nor an accessor. */
function isField(descriptor: PropertyDescriptor): boolean {
  return descriptor.get === undefined && descriptor.set === undefined && !isMethod(descriptor);
}

/** As a class body defines methods; fields are enumerable. */
function isMethod({ value, enumerable }: PropertyDescriptor): boolean {
  return typeof value === 'function' && enumerable !== true;
}

interface Member {
  readonly owner: object;
  readonly key: PropertyKey;
  readonly descriptor: PropertyDescriptor;
  readonly pick: () => object;
  readonly wrappedIn: (source: object, key: PropertyKey) => PropertyDescriptor | undefined;
}

function toAccessor({ owner, key, descriptor, pick, wrappedIn }: Member): PropertyDescriptor {
  const { get, set, enumerable = false } = descriptor;
  if (isField(descriptor)) return { ...toField(owner, key, pick), enumerable, configurable: true };
  const live = Object.getOwnPropertyDescriptors({
    get accessor(): unknown {
      const source = pick();
      const original = wrappedIn(source, key)?.get;
      return original === undefined ? Reflect.get(source, key, this) : Reflect.apply(original, this, []);
    },
    set accessor(value: unknown) {
      const source = pick();
      const original = wrappedIn(source, key)?.set;
      if (original === undefined) Reflect.set(source, key, value, this);
      else Reflect.apply(original, this, [value]);
    },
  }).accessor;
  if (get !== undefined) resemble(live.get as object, get);
  if (set !== undefined) resemble(live.set as object, set);
  return { get: get && live.get, set: set && live.set, enumerable, configurable: true };
}

function toField(owner: object, key: PropertyKey, pick: () => object): PropertyDescriptor {
  return {
    get: () => Reflect.get(pick(), key) as unknown,
    set(this: object, value: unknown) {
      if (this === owner) Reflect.set(pick(), key, value);
      // A subclass that is written to gets a field of its own.
      else Object.defineProperty(this, key, { value, writable: true, enumerable: true, configurable: true });
    },
  };
}
