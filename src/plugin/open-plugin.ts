/** Opens plugins by file or folder, or by name. Owns the plugins that are open in this process, each of them once. */

import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { currentScope, onScopeEnd } from '../runtime/generation-scope.ts';
import { createOwnStates, stateRegistry } from '../runtime/state.ts';
import type { Contract } from './contract.ts';
import { createFileSource } from './file-source.ts';
import { evaluateInProcess } from './in-process-version.ts';
import type { Plugin, PluginEvents } from './plugin-api.ts';
import type { Need, PluginSource } from './plugin-source.ts';
import { findRegistry } from './registry/find-registry.ts';
import { isPluginName } from './registry/registry.ts';
import { createRegistrySource } from './registry/registry-source.ts';
import { SharedPlugin, type Holder } from './shared-plugin.ts';
import { createSlot, type Slot } from './slot.ts';

export interface OpenOptions {
  /** A semver range that its version has to be in. */
  readonly version?: string;
  /** The folder of the registry, for a plugin that is named; `plugins.registry` of the configuration when absent, else
   *  `.midflight/plugins` of the working directory. */
  readonly registry?: string;
  /** Follows what changes; true when absent. */
  readonly watch?: boolean;
  /** By when a call that answers later has to have; without a limit when absent. */
  readonly timeoutMs?: number;
  /** How long calls in flight may hold the end of a version; 30 s when absent. */
  readonly drainTimeoutMs?: number;
  /** How long the version before stays ready to come back; 5 s when absent. */
  readonly probationMs?: number;
  /** After so many failed calls in a row the version before comes back, or the plugin rests for so long; 5 and 10 s when absent. */
  readonly breaker?: { readonly failures?: number; readonly restMs?: number };
}

const defaults = { drainTimeoutMs: 30_000, probationMs: 5_000, failures: 5, restMs: 10_000 };

/** One that is open, and what its opening waits for. */
interface Open {
  readonly shared: SharedPlugin;
  readonly opened: Promise<void>;
  isReady: boolean;
  readonly waitsFor: Set<Open>;
}

const table = new Map<string, Open>();

/** Opens a plugin: a file or a folder (`./greet.ts`, `/plugins/greet`), or by its name one of the registry (`greet`, `@acme/greet`). Who
 *  opens it when it is open shares it, as it was opened first.
 *  What is opened while a generation of a Midflight app is evaluated, or by its requests, is closed with that generation.
 *  Errors: ERR_MIDFLIGHT_PLUGIN_UNKNOWN, …_INVALID, …_VERSION_UNSATISFIED, …_SETUP_FAILED, …_UNHEALTHY, those of its code. */
export async function openPlugin(specifier: string, options: OpenOptions = {}): Promise<Plugin> {
  const source = await findSource(specifier, options);
  const need: Need = { by: 'the host', range: options.version ?? null };
  const { plugin } = await openFrom(source, options, need);
  const scope = currentScope();
  if (scope !== undefined) onScopeEnd(scope, () => void plugin.close());
  return plugin;
}

async function findSource(specifier: string, { registry }: OpenOptions): Promise<PluginSource> {
  if (!isPluginName(specifier)) return createFileSource(path.resolve(specifier));
  return createRegistrySource(await findRegistry(process.cwd(), registry), specifier);
}

export interface Opened {
  readonly plugin: Plugin;
  readonly shared: SharedPlugin;
}

/** The same for any source. Errors: as `openPlugin`. */
export async function openFrom(
  source: PluginSource,
  options: OpenOptions,
  need: Need,
  opener: Open | null = null,
): Promise<Opened> {
  const entry = table.get(source.key) ?? begin(source, options);
  const holder = { need, slots: new Set<Slot>() };
  const plugin = new Handle(entry.shared, holder);
  try {
    // Two that require each other would wait for each other.
    if (!entry.isReady && !(opener !== null && leadsTo(entry, opener))) {
      opener?.waitsFor.add(entry);
      await entry.opened;
    }
    await entry.shared.fit(holder, opener === null);
  } catch (error) {
    await plugin.close();
    throw error;
  } finally {
    opener?.waitsFor.delete(entry);
  }
  return { plugin, shared: entry.shared };
}

function begin(source: PluginSource, options: OpenOptions): Open {
  const { key } = source;
  const states = createOwnStates();
  // Where there is a supervisor, they go to the next process with those of the app.
  const stayBehind = stateRegistry()?.admit(source.name, states);
  const shared = new SharedPlugin({
    source,
    evaluate: async (release, number) =>
      evaluateInProcess({
        release,
        number,
        states,
        onFault: (version, error) => shared.noteFault(version, error),
      }),
    openRequired: async (name, need) => (await openFrom(source.sibling(name), options, need, entry)).plugin,
    isWatched: options.watch ?? true,
    timeoutMs: options.timeoutMs ?? null,
    drainTimeoutMs: options.drainTimeoutMs ?? defaults.drainTimeoutMs,
    probationMs: options.probationMs ?? defaults.probationMs,
    breaker: {
      failures: options.breaker?.failures ?? defaults.failures,
      restMs: options.breaker?.restMs ?? defaults.restMs,
    },
    onClosed: () => {
      table.delete(key);
      stayBehind?.();
    },
  });
  const opened = Promise.resolve().then(async () => {
    await shared.open();
    entry.isReady = true;
  });
  // Who waits for it hears of it.
  opened.catch(() => undefined);
  const entry: Open = { shared, opened, isReady: false, waitsFor: new Set() };
  table.set(key, entry);
  return entry;
}

/** True where the opening of `from` waits, by way of others, for that of `to`. */
function leadsTo(from: Open, to: Open, seen = new Set<Open>()): boolean {
  if (from === to) return true;
  if (seen.has(from)) return false;
  seen.add(from);
  return [...from.waitsFor].some((next) => leadsTo(next, to, seen));
}

class Handle implements Plugin {
  readonly #shared: SharedPlugin;
  readonly #holder: Holder & { readonly slots: Set<Slot> };
  readonly #listeners: (() => void)[] = [];
  #isClosed = false;

  constructor(shared: SharedPlugin, holder: Holder & { readonly slots: Set<Slot> }) {
    this.#shared = shared;
    this.#holder = holder;
    shared.hold(holder);
  }

  get name(): string {
    return this.#shared.name;
  }

  get version(): string | null {
    return this.#shared.version;
  }

  lookup(name: string, contract: Contract): never {
    if (this.#isClosed) throw this.#closed();
    const { calls, name: plugin } = this.#shared;
    const slot = createSlot({ plugin, name, contract, calls });
    this.#shared.aim(slot);
    this.#holder.slots.add(slot);
    return slot.value() as never;
  }

  async pin(version: string | null): Promise<void> {
    return this.#shared.pin(version);
  }

  async refresh(): Promise<void> {
    return this.#shared.update();
  }

  on<Event extends keyof PluginEvents>(
    event: Event,
    listener: (...values: PluginEvents[Event]) => void,
  ): this {
    this.#shared.events.on(event, listener as never);
    this.#listeners.push(() => this.#shared.events.off(event, listener as never));
    return this;
  }

  off<Event extends keyof PluginEvents>(
    event: Event,
    listener: (...values: PluginEvents[Event]) => void,
  ): this {
    this.#shared.events.off(event, listener as never);
    return this;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const slot of this.#holder.slots) slot.stop(() => this.#closed());
    for (const remove of this.#listeners) remove();
    await this.#shared.letGo(this.#holder);
  }

  #closed(): MidflightError {
    return new MidflightError('ERR_MIDFLIGHT_PLUGIN_CLOSED', [this.name]);
  }
}
