/**
 * Private names that the versions of a class have in common. The values are in real private fields of the instances, so nothing
 * of them is seen from outside; what the class itself declares as `#x` is another name in each version. The compiled code of a live
 * class uses these instead (`release/transform/private-names.ts`).
 *
 * 1. Fields, and the mark that instances with private methods have, are shared by all versions: an old instance has them, too.
 * 2. Methods and static names are of the version that asks for them: code runs the methods that were written with it.
 * 3. Each use of a name that an object doesn't have is a TypeError, as in the language.
 */

/** The private names of one module, by the key of the class; made once for all versions of the module. */
export type PrivateNames = (key: string) => ClassPrivates;

/** The private names of one class. */
export interface ClassPrivates {
  /** What every instance gets before its first field. */
  readonly brand: PrivateField;
  readonly field: (name: string) => PrivateField;
  /** A method or accessor of one version. */
  readonly method: (name: string) => PrivateMethod;
  /** A static field of one version; the class has it by itself and by its stable object. */
  readonly staticField: (name: string) => StaticField;
  readonly staticMethod: (name: string) => PrivateMethod;
}

/** Makes the private names of one module; `stableOf` gives the object that stands for all versions of a class. */
export function createPrivateNames(stableOf: (key: string) => object | null): PrivateNames {
  const classes = new Map<string, ClassPrivates>();
  return (key) => {
    const known = classes.get(key);
    if (known !== undefined) return known;
    const created = createClassPrivates(() => stableOf(key));
    classes.set(key, created);
    return created;
  };
}

function createClassPrivates(stable: () => object | null): ClassPrivates {
  const fields = new Map<string, PrivateField>();
  const brand = new PrivateField('#brand');
  return {
    brand,
    field: (name) => {
      const field = fields.get(name) ?? new PrivateField(name);
      fields.set(name, field);
      return field;
    },
    method: (name) => new InstanceMethod(name, brand),
    staticField: (name) => new StaticField(name, stable),
    staticMethod: (name) => new StaticMethod(name, stable),
  };
}

/** One private name. */
abstract class PrivateName {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  /** `#x in object`. */
  has(object: unknown): boolean {
    if (isObject(object)) return this.isOn(object);
    throw new TypeError(`Cannot use 'in' operator to search for '${this.name}' in ${String(object)}`);
  }

  /** `object.#x`. */
  get(object: unknown): unknown {
    if (isObject(object) && this.isOn(object)) return this.read(object);
    throw new TypeError(
      `Cannot read private member ${this.name} from an object whose class did not declare it`,
    );
  }

  /** `object.#x = value`. */
  set<Value>(object: unknown, value: Value): Value {
    if (isObject(object) && this.isOn(object)) {
      this.write(object, value);
      return value;
    }
    throw new TypeError(
      `Cannot write private member ${this.name} to an object whose class did not declare it`,
    );
  }

  /** `object.#x` as something to assign to or to call. */
  ref(object: unknown): Reference {
    return new Reference(this, object);
  }

  /** `object?.#x`, likewise. */
  opt(object: unknown): Reference | undefined {
    return object === null || object === undefined ? undefined : this.ref(object);
  }

  protected abstract isOn(object: object): boolean;
  protected abstract read(object: object): unknown;
  protected abstract write(object: object, value: unknown): void;
}

/** A private name of one object. The object is asked only when it is used. */
class Reference {
  readonly #name: PrivateName;
  readonly #object: unknown;

  constructor(name: PrivateName, object: unknown) {
    this.#name = name;
    this.#object = object;
  }

  get value(): unknown {
    return this.#name.get(this.#object);
  }

  set value(value: unknown) {
    this.#name.set(this.#object, value);
  }

  /** The value as a function that has the object for `this`; what is no function is as it is, for the call to fail on. */
  get bound(): unknown {
    const { value } = this;
    if (typeof value !== 'function') return value;
    return Function.prototype.bind.call(value, this.#object);
  }
}

class PrivateField extends PrivateName {
  readonly #stamp = createStamp();

  /** Gives the object the field. */
  add(object: object, value?: unknown): void {
    if (this.isOn(object)) throw new TypeError(`Cannot initialize ${this.name} twice on the same object`);
    this.#stamp.add(object, value);
  }

  protected isOn(object: object): boolean {
    return this.#stamp.has(object);
  }

  protected read(object: object): unknown {
    return this.#stamp.read(object);
  }

  protected write(object: object, value: unknown): void {
    this.#stamp.write(object, value);
  }
}

/** A constructor that returns what it is given: a class that extends it puts its fields there, on a frozen object as well. */
const Returned: unknown = function returned(object: object): object {
  return object;
};

interface Stamp {
  readonly add: (object: object, value: unknown) => void;
  readonly has: (object: object) => boolean;
  readonly read: (object: object) => unknown;
  readonly write: (object: object, value: unknown) => void;
}

function createStamp(): Stamp {
  class Stamped extends (Returned as new (object: object) => object) {
    #value: unknown;

    constructor(object: object, value: unknown) {
      super(object);
      this.#value = value;
    }

    static has(object: object): object is Stamped {
      return #value in object;
    }

    static read(object: object): unknown {
      return (object as Stamped).#value;
    }

    static write(object: object, value: unknown): void {
      (object as Stamped).#value = value;
    }
  }
  const add = (object: object, value: unknown): void => {
    void new Stamped(object, value);
  };
  return { add, has: Stamped.has, read: Stamped.read, write: Stamped.write };
}

class StaticField extends PrivateName {
  readonly #stable: () => object | null;
  #slot: { readonly owner: object; value: unknown } | null = null;

  constructor(name: string, stable: () => object | null) {
    super(name);
    this.#stable = stable;
  }

  add(owner: object, value?: unknown): void {
    this.#slot = { owner, value };
  }

  protected isOn(object: object): boolean {
    return this.#slot !== null && (object === this.#slot.owner || object === this.#stable());
  }

  protected read(): unknown {
    return this.#slot?.value;
  }

  protected write(_: object, value: unknown): void {
    if (this.#slot !== null) this.#slot.value = value;
  }
}

/** A method, or an accessor. */
abstract class PrivateMethod extends PrivateName {
  /** Under this the class is defined with it. */
  readonly key = Symbol();
  #property: PropertyDescriptor = {};

  /** Takes it off a class that has just been defined. */
  abstract take(owner: { readonly prototype: object }): void;

  protected takeFrom(holder: object): void {
    const { name, key } = this;
    const property = Reflect.getOwnPropertyDescriptor(holder, key) ?? {};
    Reflect.deleteProperty(holder, key);
    this.#property = property;
    rename(property.value, name);
    rename(property.get, `get ${name}`);
    rename(property.set, `set ${name}`);
  }

  protected read(object: object): unknown {
    const { value, get, set } = this.#property;
    if (get !== undefined) return Reflect.apply(get, object, []);
    if (set !== undefined) throw new TypeError(`'${this.name}' was defined without a getter`);
    return value;
  }

  protected write(object: object, value: unknown): void {
    const { get, set } = this.#property;
    if (set !== undefined) {
      Reflect.apply(set, object, [value]);
      return;
    }
    const isMethod = get === undefined;
    throw new TypeError(
      isMethod
        ? `Private method '${this.name}' is not writable`
        : `'${this.name}' was defined without a setter`,
    );
  }
}

class InstanceMethod extends PrivateMethod {
  readonly #brand: PrivateField;

  constructor(name: string, brand: PrivateField) {
    super(name);
    this.#brand = brand;
  }

  take({ prototype }: { readonly prototype: object }): void {
    this.takeFrom(prototype);
  }

  protected isOn(object: object): boolean {
    return this.#brand.has(object);
  }
}

class StaticMethod extends PrivateMethod {
  readonly #stable: () => object | null;
  #owner: object | null = null;

  constructor(name: string, stable: () => object | null) {
    super(name);
    this.#stable = stable;
  }

  take(owner: { readonly prototype: object }): void {
    this.#owner = owner;
    this.takeFrom(owner);
  }

  protected isOn(object: object): boolean {
    return object === this.#owner || object === this.#stable();
  }
}

function rename(value: unknown, name: string): void {
  if (typeof value === 'function') Object.defineProperty(value, 'name', { value: name, configurable: true });
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
