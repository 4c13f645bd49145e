/**
 * Functions and classes that stay the same object over the versions of a module. What importers captured delegates to the
 * version that is current; code of a version that is being prepared gets its own.
 *
 * What is called               | runs
 * a live function              | the function of the version that is current
 * `new` of a live class        | its constructor, with the class (or the subclass) as new.target
 * a method or an accessor      | that of the version that is current, also on living instances
 * a static field               | is that of the version that is current
 *
 * A class's `prototype` never changes, so `instanceof` and subclasses hold.
 */

export type Callable = (this: unknown, ...values: unknown[]) => unknown;
export type Constructor = new (...values: unknown[]) => object;

export interface LiveExport {
  readonly stable: Callable | Constructor;
  /** A class is about to be announced before its static initializers run, and again after them. */
  readonly declare: () => void;
  /** Shows what a version that is being prepared adds, beside what there is. `isRunning`: nothing else runs until it is absorbed. */
  readonly announce: (target: object, isRunning: boolean) => void;
  /** Makes a version's function or class the one that runs. */
  readonly aim: (target: object) => void;
  /** A version's code is about to run. */
  readonly mark: () => void;
  /** It has run: what it has put on the stable object since, as in `f.defaults = {}`, is that version's alone. False where that
   *  can't be taken off again, as the app has frozen it. */
  readonly absorb: (target: object) => boolean;
}

/** Tells which version runs. */
export interface Choice<Target> {
  /** While a version is being prepared, who runs has to be looked at; all other calls go straight to the current one. */
  readonly gate: Gate;
  /** What the version being prepared has, for its own code; null for all other. */
  readonly staged: () => Target | null;
}

export interface Gate {
  isOpen: boolean;
}

/** What runs while the gate is closed. One object with one shape, so that a call through it is as cheap as can be. */
interface Aim<Target> {
  readonly gate: Gate;
  readonly pick: () => Target;
  target: Target | null;
}

/** Makes the function that stands for all versions of one. */
export function createLiveFunction(first: Callable, { gate, staged }: Choice<Callable>): LiveExport {
  // It must not hold the first version, which goes as all others do.
  const pick = (): Callable => (staged() ?? aimed.target) as Callable;
  const aimed: Aim<Callable> = { gate, pick, target: null };
  const stable = isPlainFunction(first) ? toConstructible(aimed) : toMethod(aimed);
  const mirrors = createMirrors(stable, { gate, pick });
  const aim = (next: object): void => {
    aimed.target = next as Callable;
    resemble(stable, next);
    mirrors.show(next);
  };
  resemble(stable, first);
  mirrors.mark();
  const { mark, absorb } = mirrors;
  const nothing = (): void => undefined;
  return { stable, declare: nothing, announce: nothing, aim, mark, absorb };
}

/** Makes the class that stands for all versions of one; it has none before the first `announce` or `aim`. */
export function createLiveClass({ gate, staged }: Choice<Constructor>): LiveExport {
  const pick = (): Constructor => {
    const picked = staged() ?? aimed.target;
    if (picked === null) throw new ReferenceError('Cannot access a class before initialization');
    return picked;
  };
  const aimed: Aim<Constructor> = { gate, pick, target: null };
  const stable = toClass(aimed);
  const { show, announce, mark, absorb } = createMirrors(stable, { gate, pick });
  const derive = (next: Constructor): void => {
    resemble(stable, next);
    Reflect.setPrototypeOf(stable.prototype as object, Reflect.getPrototypeOf(next.prototype as object));
  };
  let isDeclared = false;
  return {
    stable,
    declare: () => {
      isDeclared = true;
    },
    announce: (next, isRunning) => {
      // What its static initializers define is not there yet, and they may ask for it by the class's name.
      if (isDeclared) Reflect.setPrototypeOf(stable, toStaticView(next));
      else derive(aimed.target ?? (next as Constructor));
      isDeclared = false;
      announce(next, isRunning);
    },
    aim: (next) => {
      aimed.target = next as Constructor;
      isDeclared = false;
      derive(aimed.target);
      show(aimed.target);
    },
    mark,
    absorb,
  };
}

/** Keeps what a function or class has of its own, and what its prototype has. */
function createMirrors(
  stable: Callable | Constructor,
  { gate, pick }: Pick<Aim<Callable | Constructor>, 'gate' | 'pick'>,
): Mirror {
  const own = createMirror(stable, { gate, pick, skipped: ['prototype', 'length', 'name', 'toString'] });
  const prototype: unknown = stable.prototype;
  if (!isObject(prototype)) return own;
  const members = createMirror(prototype, {
    gate,
    pick: () => prototypeOf(pick()),
    skipped: ['constructor'],
  });
  return {
    show(source) {
      own.show(source);
      members.show(prototypeOf(source));
    },
    announce(source, isRunning) {
      own.announce(source, isRunning);
      members.announce(prototypeOf(source), isRunning);
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

/** A class while its static fields are being defined; what is set goes to the class itself. */
function toStaticView(target: object): object {
  return new Proxy(target, { set: (_, key, value) => Reflect.set(target, key, value) });
}

function isPlainFunction(target: Callable): boolean {
  return Object.getPrototypeOf(target) === Function.prototype && Object.hasOwn(target, 'prototype');
}

function toConstructible(aimed: Aim<Callable>): Callable {
  return function stable(this: unknown, ...values: unknown[]): unknown {
    if (new.target === undefined) return Reflect.apply(targetOf(aimed), this, values);
    return Reflect.construct(targetOf(aimed), values, new.target) as unknown;
  };
}

function toMethod(aimed: Aim<Callable>): Callable {
  return {
    stable(this: unknown, ...values: unknown[]): unknown {
      return Reflect.apply(targetOf(aimed), this, values);
    },
  }.stable;
}

function toClass(aimed: Aim<Constructor>): Constructor {
  // oxlint-disable-next-line typescript/no-extraneous-class -- it stands for a class, and has to look like one.
  return class {
    constructor(...values: unknown[]) {
      // A constructor that returns an object gives that: made by the version's own, for the class that was asked for.
      return Reflect.construct(targetOf(aimed), values, new.target);
    }
  };
}

function targetOf<Target>(aimed: Aim<Target>): Target {
  const { target } = aimed;
  return target === null || aimed.gate.isOpen ? aimed.pick() : target;
}

/** Name, length, text and prototype, by which frameworks tell functions apart. What the app has frozen keeps its own: a commit
 *  must not fail on that. */
function resemble(stable: object, target: object): void {
  const { name, length } = target as Callable;
  const toString = (): string => Function.prototype.toString.call(target);
  Reflect.setPrototypeOf(stable, Reflect.getPrototypeOf(target));
  Reflect.defineProperty(stable, 'name', { value: name, configurable: true });
  Reflect.defineProperty(stable, 'length', { value: length, configurable: true });
  Reflect.defineProperty(stable, 'toString', { value: toString, configurable: true, writable: true });
}

interface Mirror {
  /** Has the members of `source` on the stable object, and no others. */
  readonly show: (source: object) => void;
  /** Adds what a version that is being prepared has beside those. `isRunning`: its methods are there as they are for as long as
   *  its code runs, so that what wraps one of them has the very one. */
  readonly announce: (source: object, isRunning: boolean) => void;
  readonly mark: () => void;
  /** Moves to `source` what the stable object has got since the mark, and puts back what was there. False where it can't be. */
  readonly absorb: (source: object) => boolean;
}

interface Mirroring {
  readonly gate: Gate;
  readonly pick: () => object;
  readonly skipped: readonly PropertyKey[];
}

/** Keeps the own members of one object on another that stays. */
function createMirror(owner: object, { gate, pick, skipped }: Mirroring): Mirror {
  const shown = new Map<PropertyKey, PropertyDescriptor>();
  const methods = new Map<PropertyKey, LiveMethod>();
  const announced = new Set<PropertyKey>();
  let marked: ReadonlyMap<PropertyKey, PropertyDescriptor> = new Map();
  const toLive = (key: PropertyKey, descriptor: PropertyDescriptor): PropertyDescriptor => {
    if (!isMethod(descriptor)) return toAccessor({ owner, key, descriptor, pick });
    const method = methods.get(key) ?? createLiveMethod(key, gate, pick);
    methods.set(key, method);
    method.last = descriptor.value as Callable;
    resemble(method.stable, method.last);
    return { ...descriptor, value: method.stable };
  };
  const showOne = (key: PropertyKey, descriptor: PropertyDescriptor): boolean => {
    shown.set(key, toLive(key, descriptor));
    return Reflect.defineProperty(owner, key, shown.get(key) ?? descriptor);
  };
  const putBack = (key: PropertyKey, own: PropertyDescriptor): boolean => {
    const before = marked.get(key);
    return before === undefined ? showOne(key, own) : Reflect.defineProperty(owner, key, before);
  };
  return {
    show(source) {
      const members = membersOf(source, skipped);
      for (const [key, descriptor] of members) showOne(key, descriptor);
      for (const [key, method] of methods) method.aimed.target = methodOf(source, key) ?? method.last;
      for (const key of shown.keys()) {
        if (members.has(key)) continue;
        shown.delete(key);
        Reflect.deleteProperty(owner, key);
      }
    },
    announce(source, isRunning) {
      for (const [key, descriptor] of membersOf(source, skipped)) {
        announced.add(key);
        if (isRunning && isMethod(descriptor)) Reflect.defineProperty(owner, key, descriptor);
        else if (!shown.has(key)) showOne(key, descriptor);
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
        if (isSame(descriptor, marked.get(key)) || isSame(descriptor, shown.get(key))) continue;
        Reflect.defineProperty(source, key, descriptor);
        isPutBack &&= putBack(key, descriptor);
      }
      for (const key of [...announced, ...marked.keys()]) {
        if (members.has(key)) continue;
        Reflect.deleteProperty(source, key);
        const before = marked.get(key);
        if (before !== undefined) Reflect.defineProperty(owner, key, before);
      }
      // What was there belongs to the version before.
      marked = new Map();
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

function createLiveMethod(key: PropertyKey, gate: Gate, pick: () => object): LiveMethod {
  const aimed: Aim<Callable> = {
    gate,
    pick: () => methodOf(pick(), key) ?? (method.last as Callable),
    target: null,
  };
  const method: LiveMethod = { stable: toMethod(aimed), aimed, last: null };
  return method;
}

function methodOf(source: object, key: PropertyKey): Callable | null {
  return (Reflect.get(source, key) as Callable | undefined) ?? null;
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
}

function toAccessor({ owner, key, descriptor, pick }: Member): PropertyDescriptor {
  const { get, set, enumerable = false } = descriptor;
  if (get === undefined && set === undefined)
    return { ...toField(owner, key, pick), enumerable, configurable: true };
  const live = Object.getOwnPropertyDescriptors({
    get accessor() {
      return Reflect.get(pick(), key, this) as unknown;
    },
    set accessor(value: unknown) {
      Reflect.set(pick(), key, value, this);
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
