/**
 * State that outlives generations: `state(name, init)` gives every generation of a process the same live object.
 * The registry owns the entries; it is found through `globalThis`, so that any copy of this module sees the same.
 *
 * 1. What a preparing generation declares or migrates is its own until `commit`, and vanishes with `abort`.
 * 2. A migration is done on a copy. It is tried while preparing and done again at commit, when the old code has
 *    stopped writing, so that nothing is lost that was written in between.
 * 3. Until `settle`, `goBack` brings back the entries that committed generations replaced. Writes to a migrated copy are lost then.
 * 4. Within one generation a name has one version. Code that is no longer current keeps the object that it had.
 * 5. An entry refers to the code that declared it last, and to no code before: that of replaced releases can be collected.
 */

import { MidflightError } from '../errors.ts';
import { currentScope, type GenerationScope } from './generation-scope.ts';
import { currentOrigin, type ModuleOrigin } from './origin.ts';
import {
  convertEntry,
  decodeEntry,
  encodeEntry,
  fillEntry,
  type EncodedState,
  type Entry,
} from './state-entry.ts';
import { withGuests, type HostRegistry } from './state-guests.ts';
import {
  checkStateOptions,
  type AnyStateOptions,
  type EncodedStateOptions,
  type StateOptions,
} from './state-options.ts';

export interface StateRegistry {
  state(name: string, init: unknown, options?: AnyStateOptions): unknown;
  /** Makes a generation's declarations those of the process.
   *  Errors: those of a migration, with nothing changed. */
  commit(scope: GenerationScope): void;
  /** Forgets what a preparing generation declared. */
  abort(scope: GenerationScope): void;
  /** Undoes every commit after the generation's own, newest first. */
  goBack(scope: GenerationScope): void;
  /** The current generation has proved itself: what it and those before it replaced is let go. */
  settle(): void;
  /** What the code of this process asks for, also code that is being prepared. */
  wanted(): WantedStates;
  /** The states for another process, copied as they are asked for; those it wants in an older version are led down. */
  encode(wanted: WantedStates): Iterable<StateEncoding>;
  /** Takes over states of another process, also into objects that modules hold already. Those that are `early` come once
   *  more: new code may ask for an older version than that of what has come until then.
   *  Shape: what could not be taken over, and is as it was. */
  receive(states: readonly EncodedState[], options: { isEarly: boolean }): readonly StateProblem[];
  /** Names of the declared states, and of those that came from another process and were not asked for yet. */
  names(): readonly string[];
  /** `state()` knows this registry no longer. */
  dispose(): void;
}

/** The version that code has of a state; null where it is of the process alone. */
export type WantedStates = ReadonlyMap<string, number | null>;

export interface StateProblem {
  readonly name: string;
  readonly error: unknown;
}

export interface StateEncoding {
  readonly name: string;
  /** Errors: ERR_MIDFLIGHT_STATE_UNENCODABLE, …_UNMIGRATED, …_MIGRATION_FAILED. */
  encode(): EncodedState;
}

export interface StateRegistryOptions {
  /** The modules of a generation, also those that it shares with the one before. */
  modulesOf(scope: GenerationScope): Iterable<ModuleOrigin>;
}

/** The time in which every state was the same object; what code of that time still sees when it is over. */
interface Epoch {
  left: ReadonlyMap<string, Left>;
  next: Epoch | null;
}

/** What old code keeps, as long as it does: a timer of an old module that is still in use must not keep all old data. */
interface Left {
  readonly version: number;
  readonly reference: { deref(): unknown };
}

interface Asking {
  readonly version: number;
  readonly by: string;
}

const kRegistry = Symbol.for('midflight.state');

/** The same live object for every generation of a process; a handoff passes it to the new process. Where
 *  Midflight does not run, the value of `init`. Use an object, a Map, an array …: of a number or a string only the first value is shared.
 *  Errors: ERR_MIDFLIGHT_STATE_UNMIGRATED, …_MIGRATION_FAILED, …_UNENCODABLE, …_CONFLICT, …_INVALID.
 *  Source: docs/reference/state.md. */
export function state<T, const Version extends number = number>(
  name: string,
  init: T | (() => T),
  options?: StateOptions<NoInfer<T>, Version>,
): T;
export function state<T, Data, const Version extends number = number>(
  name: string,
  init: T | (() => T),
  options: EncodedStateOptions<NoInfer<T>, Data, Version>,
): T;
export function state(name: string, init: unknown, options?: AnyStateOptions): unknown {
  const registry = stateRegistry();
  return registry ? registry.state(name, init, options) : initialize(init);
}

/** The registry that `state()` uses in this process. */
export function stateRegistry(): HostRegistry | undefined {
  return (globalThis as { [kRegistry]?: HostRegistry })[kRegistry];
}

/** Makes states that only who has the registry can ask for. */
export function createOwnStates(options: StateRegistryOptions = { modulesOf: () => [] }): StateRegistry {
  return new Registry(options);
}

/** Makes the registry of this process, which `state()` uses from now on. */
export function createStateRegistry(options?: StateRegistryOptions): HostRegistry {
  const registry = withGuests(createOwnStates(options));
  Object.defineProperty(globalThis, kRegistry, { value: registry, configurable: true });
  return registry;
}

class Registry implements StateRegistry {
  readonly #options: StateRegistryOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #staged = new Map<GenerationScope, Map<string, Entry>>();
  /** What a committed generation replaced; null for a name that was new. */
  readonly #replaced = new Map<GenerationScope, Map<string, Entry | null>>();
  /** States of another process that nobody has declared here yet. */
  readonly #received = new Map<string, EncodedState>();
  readonly #early = new Set<string>();
  readonly #askings = new WeakMap<GenerationScope | ModuleOrigin, Map<string, Asking>>();
  readonly #epochs = new WeakMap<GenerationScope, Epoch>();
  #epoch: Epoch = { left: new Map(), next: null };
  #current: GenerationScope | undefined;

  constructor(options: StateRegistryOptions) {
    this.#options = options;
  }

  state(name: string, init: unknown, options: AnyStateOptions = {}): unknown {
    checkStateOptions(name, options);
    const scope = currentScope() ?? this.#current;
    const { version = 0 } = options;
    const known = this.#find(name, scope);
    if (scope?.status === 'preparing') {
      this.#note(name, version, scope);
      return this.#stage({ scope, name, known, init, options }).value;
    }
    if (known?.version === version) return known.value;
    // Code that was given up, or is on its way out, has no say in what the states of the others are.
    if (scope?.status === 'aborted') return initialize(init);
    if (known !== undefined && scope !== undefined && scope.status !== 'current') {
      const by = `code of generation ${scope.generation}, which is no longer current`;
      throw conflict(name, { version, by }, { version: known.version, by: 'the current code' });
    }
    if (scope !== undefined) this.#note(name, version, scope);
    const entry = known ? convertEntry(name, known, options) : this.#first(name, init, options);
    this.#install(scope, new Map([[name, entry]]));
    return entry.value;
  }

  commit(scope: GenerationScope): void {
    const staged = this.#staged.get(scope) ?? new Map<string, Entry>();
    // Every migration first, so that one that fails changes nothing.
    for (const [name, entry] of staged) this.#catchUp(name, entry);
    this.#replaced.set(scope, new Map());
    this.#current = scope;
    this.#install(scope, staged);
    this.#epochs.set(scope, this.#epoch);
    this.#staged.delete(scope);
  }

  abort(scope: GenerationScope): void {
    this.#staged.delete(scope);
  }

  goBack(scope: GenerationScope): void {
    const left = new Map<string, Left>();
    for (const [committed, replaced] of [...this.#replaced].toReversed()) {
      if (committed === scope) break;
      for (const [name, entry] of replaced) {
        const gone = this.#entries.get(name);
        if (gone !== undefined && !left.has(name)) left.set(name, toLeft(gone));
        if (entry === null) this.#entries.delete(name);
        else this.#entries.set(name, entry);
      }
      this.#replaced.delete(committed);
    }
    this.#current = scope;
    this.#enter(this.#epochs.get(scope) ?? { left: new Map(), next: null }, left);
  }

  settle(): void {
    this.#replaced.clear();
  }

  wanted(): WantedStates {
    const entries = [this.#entries, ...this.#staged.values()].flatMap((each) => [...each]);
    return new Map(entries.map(([name, { version, options }]) => [name, options.local ? null : version]));
  }

  *encode(wanted: WantedStates): Iterable<StateEncoding> {
    for (const [name, received] of this.#received) {
      if (wanted.get(name) === null) continue;
      yield { name, encode: () => requireReachable(received, wanted.get(name) ?? received.version) };
    }
    for (const [name, entry] of this.#entries) {
      const version = wanted.get(name);
      if (version === null || (version === undefined && entry.options.local === true)) continue;
      yield { name, encode: () => encodeEntry(name, entry, version) };
    }
  }

  receive(states: readonly EncodedState[], { isEarly }: { isEarly: boolean }): readonly StateProblem[] {
    for (const name of this.#early) this.#received.delete(name);
    this.#early.clear();
    return states.flatMap((each) => {
      try {
        this.#receive(each, isEarly);
        return [];
      } catch (error) {
        return [{ name: each.name, error }];
      }
    });
  }

  #receive(each: EncodedState, isEarly: boolean): void {
    const { name } = each;
    if (!this.#entries.has(name)) {
      // Kept until it is declared for good: what is being prepared may be evaluated once more.
      this.#received.set(name, each);
      if (isEarly) this.#early.add(name);
    }
    for (const entries of [this.#entries, ...this.#staged.values()]) receiveInto(entries, each);
  }

  names(): readonly string[] {
    return [...this.#received.keys(), ...this.#entries.keys()];
  }

  dispose(): void {
    Reflect.deleteProperty(globalThis, kRegistry);
  }

  /** The entry that code of a generation sees. */
  #find(name: string, scope: GenerationScope | undefined): Entry | undefined {
    const staged = scope && this.#staged.get(scope)?.get(name);
    if (staged !== undefined) return staged;
    let epoch = (scope && this.#epochs.get(scope)) ?? this.#epoch;
    for (; epoch.next !== null; epoch = epoch.next) {
      const left = epoch.left.get(name);
      const value = left?.reference.deref();
      if (left !== undefined && value !== undefined) return { value, version: left.version, options: {} };
    }
    return this.#entries.get(name);
  }

  #stage({ scope, name, known, init, options }: Declaration): Entry {
    const staged = this.#staged.get(scope) ?? new Map<string, Entry>();
    const again = staged.get(name);
    if (again !== undefined && isBare(options)) return again;
    const version = options.version ?? 0;
    const isSame = known?.version === version;
    // The newest code of a version says how its data is written and how to leave it.
    const entry = isSame
      ? { ...known, options }
      : known
        ? convertEntry(name, known, options)
        : this.#first(name, init, options);
    this.#staged.set(scope, staged.set(name, entry));
    return entry;
  }

  #first(name: string, init: unknown, options: AnyStateOptions): Entry {
    const { version = 0 } = options;
    const received = options.local ? undefined : this.#received.get(name);
    // It comes again, led down by the process that knows how.
    const isAhead = received !== undefined && this.#early.has(name) && received.version > version;
    const value = received && !isAhead ? decodeEntry(received, options) : initialize(init);
    return { value, version, options };
  }

  /** Brings a staged state up to what the current code has written since. */
  #catchUp(name: string, staged: Entry): void {
    const current = this.#entries.get(name);
    if (current === undefined || current.value === staged.value) return;
    const { value } = convertEntry(name, current, staged.options);
    fillEntry({ name, staged, value, from: current.version });
  }

  /** The one place where what is current changes. */
  #install(scope: GenerationScope | undefined, fresh: ReadonlyMap<string, Entry>): void {
    const replaced = scope && this.#replaced.get(scope);
    const left = new Map<string, Left>();
    const hasNew = [...fresh.keys()].some((name) => !this.#entries.has(name));
    for (const [name, entry] of fresh) {
      const before = this.#entries.get(name);
      if (replaced?.has(name) === false) replaced.set(name, before ?? null);
      if (before !== undefined && before.value !== entry.value) left.set(name, toLeft(before));
      this.#entries.set(name, entry);
      this.#received.delete(name);
    }
    if (left.size === 0 && !hasNew) return;
    this.#enter({ left: new Map(), next: null }, left);
    if (scope !== undefined) this.#epochs.set(scope, this.#epoch);
  }

  #enter(epoch: Epoch, left: ReadonlyMap<string, Left>): void {
    Object.assign(epoch, { left: new Map(), next: null });
    if (epoch === this.#epoch) return;
    Object.assign(this.#epoch, { left, next: epoch });
    this.#epoch = epoch;
  }

  /** Remembers who asks for which version, and refuses a second one in a generation. */
  #note(name: string, version: number, scope: GenerationScope): void {
    const origin = currentOrigin();
    const by = origin?.kind === 'module' ? origin.path : `code that ran later`;
    const asking = { version, by };
    const own = this.#askings.get(scope)?.get(name);
    if (own !== undefined && own.version !== version) throw conflict(name, own, asking);
    if (this.#find(name, scope)?.version !== version) {
      for (const module of this.#options.modulesOf(scope)) {
        const other = this.#askings.get(module)?.get(name);
        if (other !== undefined && other.version !== version && module !== origin)
          throw conflict(name, other, asking);
      }
    }
    for (const key of origin?.kind === 'module' ? [scope, origin] : [scope]) {
      const askings = this.#askings.get(key) ?? new Map<string, Asking>();
      this.#askings.set(key, askings.set(name, asking));
    }
  }
}

interface Declaration {
  readonly scope: GenerationScope;
  readonly name: string;
  readonly known: Entry | undefined;
  readonly init: unknown;
  readonly options: AnyStateOptions;
}

function toLeft({ value, version }: Entry): Left {
  const isObject = typeof value === 'object' && value !== null;
  return { version, reference: isObject ? new WeakRef(value) : { deref: () => value } };
}

/** True for a declaration that says nothing but its version. */
function isBare({ migrate: by, encode, local }: AnyStateOptions): boolean {
  return by === undefined && encode === undefined && local === undefined;
}

/** Into the object that modules hold already, where there is one; else for those that ask from now on. */
function receiveInto(entries: Map<string, Entry>, encoded: EncodedState): void {
  const { name, version } = encoded;
  const entry = entries.get(name);
  if (entry === undefined || entry.options.local === true) return;
  const value = decodeEntry(encoded, entry.options);
  if (typeof entry.value !== 'object' || entry.value === null) entries.set(name, { ...entry, value });
  else fillEntry({ name, staged: entry, value, from: version });
}

/** Nobody has asked for it in this process, so nobody here knows of its versions. */
function requireReachable(received: EncodedState, wanted: number): EncodedState {
  const { name, version } = received;
  if (wanted >= version) return received;
  throw new MidflightError('ERR_MIDFLIGHT_STATE_UNMIGRATED', [name, version, wanted, version]);
}

function conflict(name: string, one: Asking, other: Asking): MidflightError {
  const details = [name, one.version, one.by, other.version, other.by];
  return new MidflightError('ERR_MIDFLIGHT_STATE_CONFLICT', details);
}

function initialize(init: unknown): unknown {
  return typeof init === 'function' ? (init as () => unknown)() : init;
}
