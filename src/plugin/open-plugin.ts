/** Opens plugins by file or folder, or by name. Owns the plugins that are open in this process, each of them once. */

import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { currentScope, onScopeEnd, runOutsideScopes } from '../runtime/generation-scope.ts';
import { createOwnStates, stateRegistry } from '../runtime/state.ts';
import { isSameContract, type Contract } from './contract.ts';
import { createFileSource } from './file-source.ts';
import { evaluateInProcess, type InProcessOptions } from './in-process-version.ts';
import { Listeners } from './listeners.ts';
import type { Plugin, PluginEvents, ThreadPlugin } from './plugin-api.ts';
import type { Need, PluginSource } from './plugin-source.ts';
import { findRegistry } from './registry/find-registry.ts';
import { isPluginName } from './registry/registry.ts';
import { createRegistrySource } from './registry/registry-source.ts';
import type { RunningVersion } from './running-version.ts';
import type { Holder } from './shared-options.ts';
import { SharedPlugin } from './shared-plugin.ts';
import { createSlot, type Slot } from './slot.ts';
import { toLimits, type ThreadIsolation } from './thread/isolation.ts';
import type { ThreadFamily } from './thread/thread-version.ts';

export interface OpenOptions {
  /** A semver range that its version has to be in. */
  readonly version?: string;
  /** The folder of the registry, for a plugin that is named; `plugins.registry` of the configuration when absent, else
   *  `.midflight/plugins` of the working directory. */
  readonly registry?: string;
  /** Follows what changes; true when absent. */
  readonly watch?: boolean;
  /** Where it runs; see `ThreadOpenOptions` for another place. */
  readonly isolation?: 'in-process';
  /** By when a call that answers later has to have; when absent 10 s in a thread, and without a limit in this one. */
  readonly timeoutMs?: number;
  /** How long calls in flight may hold the end of a version; 30 s when absent. */
  readonly drainTimeoutMs?: number;
  /** How long the version before stays ready to come back; 5 s when absent. */
  readonly probationMs?: number;
  /** After so many failed calls in a row the version before comes back, or the plugin rests for so long; 5 and 10 s when absent. */
  readonly breaker?: { readonly failures?: number; readonly restMs?: number };
}

/** With the plugin in a thread of its own: it can't take this one along, and all calls answer later. */
export interface ThreadOpenOptions extends Omit<OpenOptions, 'isolation'>, ThreadIsolation {
  readonly isolation: 'worker';
}

export type AnyOpenOptions = OpenOptions | ThreadOpenOptions;

const THREAD_TIMEOUT_MS = 10_000;
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
export async function openPlugin(specifier: string, options: ThreadOpenOptions): Promise<ThreadPlugin>;
export async function openPlugin(specifier: string, options?: OpenOptions): Promise<Plugin>;
export async function openPlugin(
  specifier: string,
  options: AnyOpenOptions = {},
): Promise<Plugin | ThreadPlugin> {
  const source = await findSource(specifier, options);
  const need: Need = { by: 'the host', range: options.version ?? null };
  const { plugin } = await openFrom(source, options, need);
  const scope = currentScope();
  if (scope !== undefined) plugin.whenClosed(onScopeEnd(scope, () => void plugin.close()));
  return plugin;
}

async function findSource(
  specifier: string,
  { registry }: Pick<OpenOptions, 'registry'>,
): Promise<PluginSource> {
  if (!isPluginName(specifier)) return createFileSource(path.resolve(specifier));
  return createRegistrySource(await findRegistry(process.cwd(), registry), specifier);
}

export interface Opened {
  readonly plugin: Plugin & {
    /** Called when it is closed. */
    whenClosed(forget: () => void): void;
  };
  readonly shared: SharedPlugin;
}

/** The same for any source. Errors: as `openPlugin`. */
export async function openFrom(
  source: PluginSource,
  options: AnyOpenOptions,
  need: Need,
  opener: Open | null = null,
): Promise<Opened> {
  const entry = table.get(toKey(source, options)) ?? begin(source, options);
  const holder = { need, by: opener?.shared ?? null, slots: new Set<Slot>() };
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

/** In a thread it is another than in this one: where its state is can't be both. */
function toKey({ key }: PluginSource, { isolation = 'in-process' }: AnyOpenOptions): string {
  return `${isolation} ${key}`;
}

function begin(source: PluginSource, options: AnyOpenOptions): Open {
  const key = toKey(source, options);
  const isInThread = options.isolation === 'worker';
  const { evaluate, end } = options.isolation === 'worker' ? inThreads(options) : inProcess(source.name);
  const shared: SharedPlugin = new SharedPlugin({
    source,
    evaluate: async (release, number) =>
      evaluate({ release, number, onFault: (version, error) => shared.noteFault(version, error) }),
    openRequired: async (name, need) => (await openFrom(source.sibling(name), options, need, entry)).plugin,
    isWatched: options.watch ?? true,
    isAsync: isInThread,
    timeoutMs: options.timeoutMs ?? (isInThread ? THREAD_TIMEOUT_MS : null),
    drainTimeoutMs: options.drainTimeoutMs ?? defaults.drainTimeoutMs,
    probationMs: options.probationMs ?? defaults.probationMs,
    breaker: {
      failures: options.breaker?.failures ?? defaults.failures,
      restMs: options.breaker?.restMs ?? defaults.restMs,
    },
    onClosed: () => {
      table.delete(key);
      end();
    },
  });
  const open = async (): Promise<void> => {
    await shared.open();
    entry.isReady = true;
  };
  // What watches it is not of the code that has opened it first. Later, when there is an entry.
  const opened = runOutsideScopes(async () => Promise.resolve().then(open));
  // Who waits for it hears of it.
  opened.catch(() => undefined);
  const entry: Open = { shared, opened, isReady: false, waitsFor: new Set() };
  table.set(key, entry);
  return entry;
}

/** Where the versions of one plugin run. */
interface Isolation {
  evaluate(options: Omit<InProcessOptions, 'states'>): Promise<RunningVersion>;
  /** It is closed. */
  end(): void;
}

function inProcess(name: string): Isolation {
  const states = createOwnStates();
  // Where there is a supervisor, they go to the next process with those of the app.
  const stayBehind = stateRegistry()?.admit(name, states);
  return {
    evaluate: async (options) => evaluateInProcess({ ...options, states }),
    end: () => stayBehind?.(),
  };
}

function inThreads({ env, permissions, ...options }: ThreadOpenOptions): Isolation {
  const limits = toLimits(options.limits);
  const family: ThreadFamily = { owner: null };
  return {
    async evaluate({ release, number }) {
      // Who opens none in a thread loads nothing for that.
      const { evaluateInThread } = await import('./thread/thread-version.ts');
      return evaluateInThread({ release, number, env, permissions, limits, family });
    },
    end: () => undefined,
  };
}

/** True where the opening of `from` waits, by way of others, for that of `to`. */
function leadsTo(from: Open, to: Open, seen = new Set<Open>()): boolean {
  if (from === to) return true;
  if (seen.has(from)) return false;
  seen.add(from);
  return [...from.waitsFor].some((next) => leadsTo(next, to, seen));
}

interface LookedUp {
  readonly name: string;
  readonly contract: Contract;
  readonly slot: Slot;
}

class Handle implements Plugin {
  readonly #shared: SharedPlugin;
  readonly #holder: Holder & { readonly slots: Set<Slot> };
  readonly #listeners: Listeners;
  readonly #lookedUp: LookedUp[] = [];
  #forget: () => void = () => undefined;
  #isClosed = false;

  constructor(shared: SharedPlugin, holder: Holder & { readonly slots: Set<Slot> }) {
    this.#shared = shared;
    this.#holder = holder;
    this.#listeners = new Listeners(shared.events);
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
    // Who looks up the same for each request has it once.
    const known = this.#lookedUp.find(
      (each) => each.name === name && isSameContract(each.contract, contract),
    );
    const slot = known?.slot ?? createSlot({ plugin, name, contract, calls });
    this.#shared.aim(slot);
    const value = slot.value() as never;
    if (known === undefined) this.#lookedUp.push({ name, contract, slot });
    this.#holder.slots.add(slot);
    return value;
  }

  async pin(version: string | null): Promise<void> {
    return this.#shared.pin(version, this.#holder);
  }

  async refresh(): Promise<void> {
    return this.#shared.update();
  }

  on<Event extends keyof PluginEvents>(
    event: Event,
    listener: (...values: PluginEvents[Event]) => void,
  ): this {
    this.#listeners.add(event, listener as never);
    return this;
  }

  off<Event extends keyof PluginEvents>(
    event: Event,
    listener: (...values: PluginEvents[Event]) => void,
  ): this {
    this.#listeners.remove(event, listener as never);
    return this;
  }

  whenClosed(forget: () => void): void {
    this.#forget = forget;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const slot of this.#holder.slots) slot.stop(() => this.#closed());
    this.#listeners.removeAll();
    this.#forget();
    await this.#shared.letGo(this.#holder);
  }

  #closed(): MidflightError {
    return new MidflightError('ERR_MIDFLIGHT_PLUGIN_CLOSED', [this.name]);
  }
}
