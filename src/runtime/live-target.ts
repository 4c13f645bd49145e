/** What runs behind an object that stays: the version that is current, or for its own code the one that is being prepared. */

export type Callable = (this: unknown, ...values: unknown[]) => unknown;
export type Constructor = new (...values: unknown[]) => object;

/** Open while a version is being prepared. */
export interface Gate {
  isOpen: boolean;
}

/** What runs while the gate is closed. One object with one shape, so that a call through it is as cheap as can be. */
export interface Aim<Target> {
  readonly gate: Gate;
  readonly pick: () => Target;
  target: Target | null;
}

/** What is to run now. */
export function targetOf<Target>(aimed: Aim<Target>): Target {
  const { target } = aimed;
  return target === null || aimed.gate.isOpen ? aimed.pick() : target;
}

/** Name, length, text and prototype, by which frameworks tell functions apart. What the app has frozen keeps its own: a commit
 *  must not fail on that. */
export function resemble(stable: object, target: object): void {
  const { name, length } = target as Callable;
  const toString = (): string => Function.prototype.toString.call(target);
  Reflect.setPrototypeOf(stable, Reflect.getPrototypeOf(target));
  Reflect.defineProperty(stable, 'name', { value: name, configurable: true });
  Reflect.defineProperty(stable, 'length', { value: length, configurable: true });
  Reflect.defineProperty(stable, 'toString', { value: toString, configurable: true, writable: true });
}

/** Makes the function that stays, as methods are: without a prototype. */
export function toMethod(aimed: Aim<Callable>): Callable {
  return {
    stable(this: unknown, ...values: unknown[]): unknown {
      return Reflect.apply(targetOf(aimed), this, values);
    },
  }.stable;
}
