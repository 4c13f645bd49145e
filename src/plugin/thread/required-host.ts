/** The host's end of what a plugin in a thread requires: looks up and calls for it. */

import { fn, type Call } from '../contract.ts';
import type { Plugin, PluginEvents } from '../plugin-api.ts';
import type { StandardSchema } from '../standard-schema.ts';
import { toCopiedError } from './copied-error.ts';
import type { HostSide, SyncSide, ThreadSide } from './sides.ts';

/** The thread holds what it gets to its own contract. */
const anyValue: StandardSchema = {
  '~standard': { version: 1, vendor: 'midflight', validate: (value) => ({ value }) },
};

export interface RequiredHost {
  readonly own: HostSide;
  readonly sync: SyncSide;
  /** From now on these can be asked for. */
  open(plugins: Readonly<Record<string, Plugin>>): void;
}

export function createRequiredHost(tell: ThreadSide['event']): RequiredHost {
  let plugins: Readonly<Record<string, Plugin>> = {};
  const calls: Call[] = [];
  const pluginOf = (name: string): Plugin => {
    const plugin = Object.hasOwn(plugins, name) ? plugins[name] : undefined;
    if (plugin === undefined) throw new Error(`Plugin "${name}" is not one that it requires`);
    return plugin;
  };
  return {
    open: (opened) => (plugins = opened),
    own: {
      callRequired: (lookup, values) => calls[lookup]?.(...values),
      async manageRequired(name, act, version) {
        const plugin = pluginOf(name);
        await (act === 'pin' ? plugin.pin(version) : plugin[act]());
      },
      hear(name, event) {
        const listener = (change: object): void => {
          const { error, ...rest } = change as { readonly error?: Error };
          tell(name, event, [rest], error === undefined ? null : toCopiedError(error));
        };
        pluginOf(name).on(event as keyof PluginEvents, listener);
      },
    },
    sync: {
      version: (name) => pluginOf(name).version,
      lookup(name, wanted, isFunction) {
        const plugin = pluginOf(name);
        if (!isFunction) return { kind: 'value', value: toPlain(plugin.lookup(wanted, anyValue)) };
        const call = plugin.lookup(wanted, fn<Call>());
        return { kind: 'function', lookup: calls.push(call) - 1 };
      },
    },
  };
}

/** A live value is a proxy, of which no copy can be made. */
function toPlain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Array.isArray(value) ? [...(value as unknown[])] : { ...value };
}
