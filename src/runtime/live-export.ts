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

import { createLiveMembers } from './live-members.ts';
import {
  resemble,
  targetOf,
  toMethod,
  type Aim,
  type Callable,
  type Constructor,
  type Gate,
} from './live-target.ts';

export interface LiveExport {
  readonly stable: Callable | Constructor;
  /** A class is about to be announced before its static initializers run, and again after them. */
  readonly declare: () => void;
  /** Shows what a version that is being prepared adds, beside what there is. */
  readonly announce: (target: object) => void;
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

/** Makes the function that stands for all versions of one. */
export function createLiveFunction(first: Callable, { gate, staged }: Choice<Callable>): LiveExport {
  // It must not hold the first version, which goes as all others do.
  const pick = (): Callable => (staged() ?? aimed.target) as Callable;
  const aimed: Aim<Callable> = { gate, pick, target: null };
  const stable = isPlainFunction(first) ? toConstructible(aimed) : toMethod(aimed);
  const members = createLiveMembers(stable, { gate, pick });
  const aim = (next: object): void => {
    aimed.target = next as Callable;
    resemble(stable, next);
    members.show(next);
  };
  resemble(stable, first);
  members.mark();
  const { mark, absorb } = members;
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
  const { show, announce, mark, absorb } = createLiveMembers(stable, { gate, pick });
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
    announce: (next) => {
      // What its static initializers define is not there yet, and they may ask for it by the class's name.
      if (isDeclared) Reflect.setPrototypeOf(stable, toStaticView(next));
      else derive(aimed.target ?? (next as Constructor));
      isDeclared = false;
      announce(next);
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

function toClass(aimed: Aim<Constructor>): Constructor {
  // oxlint-disable-next-line typescript/no-extraneous-class -- it stands for a class, and has to look like one.
  return class {
    constructor(...values: unknown[]) {
      // A constructor that returns an object gives that: made by the version's own, for the class that was asked for.
      return Reflect.construct(targetOf(aimed), values, new.target);
    }
  };
}
