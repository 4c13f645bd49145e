/**
 * State that outlives generations: `state(name, init)` gives every generation of a process the same live object.
 * The registry owns the entries; it is found through `globalThis`, so that any copy of this module sees the same.
 *
 * 1. What a preparing generation declares or migrates is its own until `commit`, and vanishes with `abort`.
 * 2. A migration is done on a copy. It is tried while preparing and done again at commit, when the old code has
 *    stopped writing, so that nothing is lost that was written in between.
 * 3. Until `settle`, `goBack` brings back the entries that committed generations replaced. Writes to a migrated copy are lost then.
 */

import v8 from 'node:v8';

import { MidflightError } from '../errors.ts';
import { currentScope, type GenerationScope } from './generation-scope.ts';
import { replaceContents } from './state-contents.ts';

/** What `state()` may be told. */
export interface StateOptions<T> {
  /** Another number than before means another shape, which `migrate` makes; 0 when absent. */
  readonly version?: number;
  /** Makes the new shape. Gets a copy; called with what code of `oldVersion` left. */
  readonly migrate?: (old: never, oldVersion: number) => T;
  /** Turns the state into something that structured clone can copy, to pass it to another process. */
  readonly encode?: (value: T) => unknown;
  /** The reverse of `encode`. */
  readonly decode?: (encoded: never) => T;
}

export interface StateRegistry {
  state<T>(name: string, init: T | (() => T), options?: StateOptions<T>): T;
  /** Makes a generation's declarations those of the process.
   *  Errors: ERR_MIDFLIGHT_STATE_MIGRATION_FAILED, with nothing changed. */
  commit(scope: GenerationScope): void;
  /** Forgets what a preparing generation declared. */
  abort(scope: GenerationScope): void;
  /** Undoes every commit after the generation's own, newest first. */
  goBack(scope: GenerationScope): void;
  /** The current generation has proved itself: what it and those before it replaced is let go. */
  settle(): void;
  /** All states, for another process. */
  encode(): Uint8Array;
  /** Takes over the states of another process; also into states that were declared already. */
  restore(encoded: Uint8Array): void;
  /** Names of the declared states. */
  names(): readonly string[];
  /** `state()` knows this registry no longer. */
  dispose(): void;
}

interface Entry {
  readonly value: unknown;
  readonly version: number;
  readonly options: StateOptions<unknown>;
  /** The entry of which this is a migrated copy. */
  readonly migratedFrom: Entry | null;
}

interface EncodedEntry {
  readonly version: number;
  readonly data: unknown;
}

const kRegistry = Symbol.for('midflight.state');

/** The same live object for every generation of a process; a new process starts with `init`. Where Midflight does not
 *  run, the value of `init`. Use an object, a Map, an array …: a number or a string can't be shared, only its start value.
 *  Errors: ERR_MIDFLIGHT_STATE_UNMIGRATED, ERR_MIDFLIGHT_STATE_MIGRATION_FAILED. */
export function state<T>(name: string, init: T | (() => T), options?: StateOptions<T>): T {
  const registry = (globalThis as { [kRegistry]?: StateRegistry })[kRegistry];
  return registry ? registry.state(name, init, options) : initialize(init);
}

/** Makes the registry of this process, which `state()` uses from now on. */
export function createStateRegistry(): StateRegistry {
  const registry = new Registry();
  Object.defineProperty(globalThis, kRegistry, { value: registry, configurable: true });
  return registry;
}

class Registry implements StateRegistry {
  readonly #entries = new Map<string, Entry>();
  readonly #staged = new Map<GenerationScope, Map<string, Entry>>();
  /** What a committed generation replaced; null for a name that was new. */
  readonly #replaced = new Map<GenerationScope, Map<string, Entry | null>>();
  /** States of another process that nobody has declared here yet. */
  readonly #received = new Map<string, EncodedEntry>();

  state<T>(name: string, init: T | (() => T), options: StateOptions<T> = {}): T {
    const scope = currentScope();
    const known = (scope && this.#staged.get(scope)?.get(name)) ?? this.#entries.get(name);
    const version = options.version ?? 0;
    if (known?.version === version) return known.value as T;
    const entry = known ? migrate(name, known, version, options) : this.#first(name, init, version, options);
    if (scope?.status === 'preparing') this.#stage(scope, name, entry);
    else this.#entries.set(name, entry);
    return entry.value as T;
  }

  commit(scope: GenerationScope): void {
    const staged = this.#staged.get(scope) ?? new Map<string, Entry>();
    // Every migration first, so that one that fails changes nothing.
    const fresh = [...staged].map(([name, entry]) => ({ name, entry, value: this.#again(name, entry) }));
    const replaced = new Map<string, Entry | null>();
    for (const { name, entry, value } of fresh) {
      replaceContents(entry.value, value);
      replaced.set(name, this.#entries.get(name) ?? null);
      this.#entries.set(name, { ...entry, migratedFrom: null });
    }
    this.#replaced.set(scope, replaced);
    this.#staged.delete(scope);
  }

  abort(scope: GenerationScope): void {
    this.#staged.delete(scope);
  }

  goBack(scope: GenerationScope): void {
    for (const [committed, replaced] of [...this.#replaced].toReversed()) {
      if (committed === scope) return;
      for (const [name, entry] of replaced) {
        if (entry === null) this.#entries.delete(name);
        else this.#entries.set(name, entry);
      }
      this.#replaced.delete(committed);
    }
  }

  settle(): void {
    this.#replaced.clear();
  }

  encode(): Uint8Array {
    const encoded: Record<string, EncodedEntry> = Object.fromEntries(this.#received);
    for (const [name, entry] of this.#entries) {
      encoded[name] = { version: entry.version, data: encodeEntry(name, entry) };
    }
    return v8.serialize(encoded);
  }

  restore(encoded: Uint8Array): void {
    const received = v8.deserialize(encoded) as Record<string, EncodedEntry>;
    for (const [name, each] of Object.entries(received)) {
      const owners = [this.#entries, ...this.#staged.values()].filter((entries) => entries.has(name));
      if (owners.length === 0) this.#received.set(name, each);
      for (const entries of owners) receiveInto(name, entries, each);
    }
  }

  names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  dispose(): void {
    Reflect.deleteProperty(globalThis, kRegistry);
  }

  #first<T>(name: string, init: T | (() => T), version: number, options: StateOptions<T>): Entry {
    const received = this.#received.get(name);
    const value = received ? decodeAs(name, received, version, options) : initialize(init);
    this.#received.delete(name);
    return toEntry({ value, version, options });
  }

  #stage(scope: GenerationScope, name: string, entry: Entry): void {
    let staged = this.#staged.get(scope);
    if (staged === undefined) this.#staged.set(scope, (staged = new Map()));
    staged.set(name, entry);
  }

  /** The contents for a staged entry at commit. */
  #again(name: string, entry: Entry): unknown {
    if (entry.migratedFrom === null) return entry.value;
    return migrate(name, entry.migratedFrom, entry.version, entry.options).value;
  }
}

function toEntry<T>({
  value,
  version,
  options,
}: {
  value: T;
  version: number;
  options: StateOptions<T>;
}): Entry {
  return { value, version, options: options as StateOptions<unknown>, migratedFrom: null };
}

function migrate<T>(name: string, known: Entry, version: number, options: StateOptions<T>): Entry {
  const copy = known.options.decode
    ? known.options.decode(structuredClone(encodeEntry(name, known)) as never)
    : encodeEntry(name, known, (value) => structuredClone(value));
  const value = convert({ name, value: copy, oldVersion: known.version, version, options });
  return { ...toEntry({ value, version, options }), migratedFrom: known };
}

interface Conversion<T> {
  readonly name: string;
  readonly value: unknown;
  readonly oldVersion: number;
  readonly version: number;
  readonly options: StateOptions<T>;
}

function convert<T>({ name, value, oldVersion, version, options }: Conversion<T>): T {
  if (options.migrate === undefined) {
    throw new MidflightError('ERR_MIDFLIGHT_STATE_UNMIGRATED', [name, oldVersion, version]);
  }
  try {
    return options.migrate(value as never, oldVersion);
  } catch (cause) {
    const details = [name, oldVersion, version, toMessage(cause)];
    throw new MidflightError('ERR_MIDFLIGHT_STATE_MIGRATION_FAILED', details, { cause });
  }
}

function encodeEntry(
  name: string,
  { value, options }: Entry,
  check: (data: unknown) => unknown = v8Check,
): unknown {
  try {
    const data = options.encode ? options.encode(value) : value;
    const checked = check(data);
    return checked === undefined ? data : checked;
  } catch (cause) {
    throw new MidflightError('ERR_MIDFLIGHT_STATE_UNENCODABLE', [name, toMessage(cause)], { cause });
  }
}

/** Fails for what can't be cloned, here, where the name of the state is known. */
function v8Check(data: unknown): void {
  v8.serialize(data);
}

function decodeAs<T>(
  name: string,
  { version, data }: EncodedEntry,
  wanted: number,
  options: StateOptions<T>,
): T {
  // Data of another version is shaped by that version's encode, and migrate gets it as it came.
  if (version !== wanted)
    return convert({ name, value: data, oldVersion: version, version: wanted, options });
  return options.decode ? options.decode(data as never) : (data as T);
}

/** Into the object that modules hold already, where there is one; else for those that ask from now on. */
function receiveInto(name: string, entries: Map<string, Entry>, encoded: EncodedEntry): void {
  const entry = entries.get(name);
  if (entry === undefined) return;
  const value = decodeAs(name, encoded, entry.version, entry.options);
  if (!replaceContents(entry.value, value)) entries.set(name, { ...entry, value });
}

function initialize<T>(init: T | (() => T)): T {
  return typeof init === 'function' ? (init as () => T)() : init;
}

function toMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
