/** Runs compiled modules that accept themselves, one version after the other. */

import { compileFunction } from 'node:vm';
import { transformModule, type TransformedModule } from '../../src/release/transform/transform.ts';
import type { ModuleInstance } from '../../src/runtime/module-instance.ts';
import { createModuleSlot } from '../../src/runtime/module-slot.ts';
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

/** A place for the versions of one module, with as much of `$m` as they need. */
export function createSlot(): Slot {
  const slot = createModuleSlot(() => true);
  const targets = new Map<string, object>();
  const toApi = (instance: ModuleInstance): object => ({
    meta: {},
    privates: slot.privates,
    live: (key: string, value?: object): object => {
      if (value !== undefined) targets.set(key, value);
      return slot.live(instance, key, value);
    },
    named: (value: object, name: string): object => Object.defineProperty(value, 'name', { value: name }),
    sync: (value: unknown): unknown => value,
  });
  return {
    run: (source, ...imports) => {
      const manifest = compileLive(source);
      const instance = { manifest } as unknown as ModuleInstance;
      slot.stage(instance);
      const body = compileFunction(manifest.code, [])() as (...values: object[]) => Iterator<void>;
      const exports: Exports = Object.create(null) as Exports;
      const evaluation = body(toApi(instance), exports, ...imports);
      evaluation.next();
      evaluation.next();
      slot.switchTo(instance);
      return exports;
    },
    rawOf: (key) => targets.get(key) as never,
  };
}
