/** What a plugin says of itself: the default export of its entry. */

import { MidflightError } from '../errors.ts';
import type { Plugin } from './plugin-api.ts';

/** What `setup` gets. */
export interface PluginContext {
  /** The plugins that `requires` names. */
  readonly plugins: Readonly<Record<string, Plugin>>;
  /** Aborted when the version ends. */
  readonly signal: AbortSignal;
}

export interface PluginDefinition {
  /** Defaults to that of the file or folder, or of its `package.json`. */
  readonly name?: string;
  /** A semantic version; defaults to that of its `package.json`. */
  readonly version?: string;
  /** Other plugins by name, and the versions of them that it can work with, as semver ranges. */
  readonly requires?: Readonly<Record<string, string>>;
  /** Runs once for each version, before anybody calls it. What it returns is exported besides what the module exports. */
  setup?(context: PluginContext): unknown;
  /** Runs when the last call of the version has ended. */
  dispose?(): unknown;
  /** Throws, or says false, when the plugin is ill; asked before a version is let in. */
  health?(): unknown;
}

const kDefinition = Symbol.for('midflight.plugin');

/** Says what a plugin is: `export default definePlugin({ … })`. Returns its argument. */
export function definePlugin<Definition extends PluginDefinition>(definition: Definition): Definition {
  return Object.defineProperty({ ...definition }, kDefinition, { value: true });
}

type Check = (value: unknown) => boolean;
const isText: Check = (value) => typeof value === 'string' && value !== '';
const isFunction: Check = (value) => typeof value === 'function';
const isRanges: Check = (value) =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).every((range) => typeof range === 'string');
const checks: Readonly<Record<keyof PluginDefinition, readonly [Check, string]>> = {
  name: [isText, 'a text'],
  version: [isText, 'a text'],
  requires: [isRanges, 'an object with a range for each name'],
  setup: [isFunction, 'a function'],
  dispose: [isFunction, 'a function'],
  health: [isFunction, 'a function'],
};

/** The definition that an entry exports by default; an empty one where it exports none.
 *  Errors: ERR_MIDFLIGHT_PLUGIN_INVALID. */
export function readDefinition(namespace: object, label: string): PluginDefinition {
  const { default: exported } = namespace as { default?: unknown };
  if (typeof exported !== 'object' || exported === null || !(kDefinition in exported)) return {};
  for (const [key, value] of Object.entries(exported)) {
    const check = Object.hasOwn(checks, key) ? checks[key as keyof PluginDefinition] : null;
    const problem =
      check === null
        ? `definePlugin() knows no "${key}"`
        : value === undefined || check[0](value)
          ? null
          : `"${key}" of definePlugin() is not ${check[1]}`;
    if (problem !== null) throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_INVALID', [label, problem]);
  }
  return exported as PluginDefinition;
}
