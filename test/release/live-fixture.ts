/** Runs compiled modules that accept themselves, one version after the other, with as much of `$m` as live identity needs. */

import { compileFunction } from 'node:vm';
import { createPrivateNames } from '../../src/runtime/private-names.ts';
import { transformModule, type TransformedModule } from '../../src/release/transform/transform.ts';
import { readTypeScriptSettings } from '../../src/release/transform/typescript-settings.ts';

const settings = readTypeScriptSettings('/not-there');

/** Compiles a module that accepts itself. */
export function compileLive(source: string, path = 'a.mjs'): TransformedModule {
  return transformModule({
    path,
    source: `${source}\nimport.meta.hot?.accept();`,
    packageType: 'module',
    settings,
  });
}

export type Exports = Record<string, never>;

/** One module's place in a process: its versions share what is live. */
export interface Slot {
  /** Evaluates a version and makes it the current one. Imports are given in the order of the manifest. */
  readonly run: (source: string, ...imports: readonly object[]) => Exports;
  /** What this version has under a key, behind the live object. */
  readonly rawOf: (key: string) => never;
}

type Callable = abstract new (...values: never) => object;

/** A place for the versions of one module. */
export function createSlot(): Slot {
  const current = new Map<string, Callable>();
  const stable = new Map<string, object>();
  const live = (key: string, value?: Callable): object => {
    if (value !== undefined) current.set(key, value);
    if (!stable.has(key))
      stable.set(
        key,
        standIn(() => current.get(key)),
      );
    return stable.get(key) ?? {};
  };
  const named = (value: object, name: string): object =>
    Object.defineProperty(value, 'name', { value: name });
  const sync = (value: unknown): unknown => value;
  const privates = createPrivateNames((key) => stable.get(key) ?? null);
  const api = { live, named, sync, privates, meta: {} };
  return {
    run: (source, ...imports) => {
      const compiled: unknown = compileFunction(compileLive(source).code, [])();
      const exports: Exports = Object.create(null) as Exports;
      const body = (compiled as (...values: readonly object[]) => Iterator<void>)(api, exports, ...imports);
      body.next();
      body.next();
      return exports;
    },
    rawOf: (key) => current.get(key) as never,
  };
}

function standIn(current: () => Callable | undefined): object {
  const target = (): Callable => {
    const value = current();
    if (value === undefined) throw new ReferenceError('nothing is behind this yet');
    return value;
  };
  // A function, since its `prototype` may differ from the one of what it stands for.
  // oxlint-disable-next-line func-names
  const stable: object = new Proxy(function () {}, {
    apply: (_, self, values) => Reflect.apply(target() as never, self, values) as unknown,
    construct: (_, values, by): object =>
      Reflect.construct(target(), values, by === stable ? target() : by) as object,
    get: (_, name, receiver) => Reflect.get(target(), name, receiver) as unknown,
    set: (_, name, value) => Reflect.set(target(), name, value),
    has: (_, name) => Reflect.has(target(), name),
    ownKeys: () => Reflect.ownKeys(target()),
  });
  return stable;
}
