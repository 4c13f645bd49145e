/** What a host has of a plugin that it has opened. */

import type { Contract, Contracted } from './contract.ts';

export interface PluginEvents {
  /** Another version is called from now on. */
  swap: [change: { readonly version: string | null; readonly previous: string | null }];
  /** A version was not let in, and the one before goes on. `version` is null where it says none, or could not be read. */
  rejected: [problem: { readonly version: string | null; readonly error: Error }];
  /** A version that was called has failed too often, and the one before is called again. */
  'rolled-back': [
    change: { readonly version: string | null; readonly failed: string | null; readonly error: Error },
  ];
}

export interface Plugin {
  readonly name: string;
  /** That of the version that is called now; null for one that says none. */
  readonly version: string | null;
  /** What the plugin exports under a name, held to a contract, now and in each version to come: one that breaks it is not let in.
   *  Shape:  a function stays the same, and calls the version that is newest then; so does an object, which is read only. A text,
   *  a number and the like are as they are now.
   *  Errors: ERR_MIDFLIGHT_PLUGIN_MISMATCH. */
  lookup<const C extends Contract>(name: string, contract: C): Contracted<C>;
  /** Stays with that version, or goes to it, for all that have it open, until this one is closed; null follows the newest again.
   *  Errors: ERR_MIDFLIGHT_PLUGIN_VERSION_UNKNOWN, and those of a version that is not let in. */
  pin(version: string | null): Promise<void>;
  /** Looks for another version now, and swaps to it.
   *  Errors: those of a version that is not let in; the one before goes on. */
  refresh(): Promise<void>;
  on<Event extends keyof PluginEvents>(
    event: Event,
    listener: (...values: PluginEvents[Event]) => void,
  ): this;
  off<Event extends keyof PluginEvents>(
    event: Event,
    listener: (...values: PluginEvents[Event]) => void,
  ): this;
  /** Nothing that was looked up can be called any more. When nobody else has the plugin open, it ends: calls in flight first, by
   *  `drainTimeoutMs`. */
  close(): Promise<void>;
}

/** What is looked up in a plugin that runs in a thread: functions answer later; values are copies. */
export type InThread<Value> = Value extends (...values: infer Values) => infer Result
  ? (...values: Values) => Promise<Awaited<Result>>
  : Value;

/** A plugin that runs in a thread of its own. */
export interface ThreadPlugin extends Omit<Plugin, 'lookup'> {
  /** As `Plugin.lookup`; arguments, results and values are copied by structured clone. */
  lookup<const C extends Contract>(name: string, contract: C): InThread<Contracted<C>>;
}
