/**
 * A folder of which each file, and each folder, is a plugin: a new one is opened, a changed one swapped, one that is gone closed.
 *
 * 1. What changes together changes together: all of a burst is let in, in one synchronous step, or none of it.
 * 2. What was refused is not looked at again before it differs, and keeps nothing else from changing.
 * 3. One look at the folder at a time.
 */

import { EventEmitter } from 'node:events';
import { existsSync, readdirSync, statSync, type Dirent } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MidflightError, toError } from '../errors.ts';
import { currentScope, onScopeEnd } from '../runtime/generation-scope.ts';
import type { Contract, Contracted, FunctionContract } from './contract.ts';
import { createFileSource } from './file-source.ts';
import {
  openFrom,
  type AnyOpenOptions,
  type OpenOptions,
  type Opened,
  type ThreadOpenOptions,
} from './open-plugin.ts';
import { Listeners } from './listeners.ts';
import type { Plugin, PluginEvents, ThreadPlugin } from './plugin-api.ts';
import type { PluginSource } from './plugin-source.ts';
import type { Prepared } from './shared-options.ts';

export type Contracts = Readonly<Record<string, Contract>>;

/** A plugin of the folder, with all that its contract names. */
export type WatchedPlugin<C extends Contracts, Lookup = Plugin['lookup']> = Pick<
  Plugin,
  'name' | 'version'
> & {
  readonly lookup: Lookup;
  readonly exports: { readonly [Name in keyof C]: Contracted<C[Name]> };
};

export interface WatchEvents {
  added: [plugin: { readonly name: string; readonly version: string | null }];
  removed: [plugin: { readonly name: string }];
  swap: [change: { readonly name: string } & PluginEvents['swap'][0]];
  rejected: [problem: { readonly name: string; readonly error: Error }];
  'rolled-back': [change: { readonly name: string } & PluginEvents['rolled-back'][0]];
}

export interface PluginSet<C extends Contracts, Lookup = Plugin['lookup']> extends Iterable<
  WatchedPlugin<C, Lookup>
> {
  readonly size: number;
  get(name: string): WatchedPlugin<C, Lookup> | undefined;
  on<Event extends keyof WatchEvents>(event: Event, listener: (...values: WatchEvents[Event]) => void): this;
  off<Event extends keyof WatchEvents>(event: Event, listener: (...values: WatchEvents[Event]) => void): this;
  /** Closes all of them. */
  close(): Promise<void>;
}

/** The same for plugins in threads: their functions answer with promises. */
export type ThreadPluginSet<C extends Contracts> = PluginSet<
  {
    readonly [Name in keyof C]: C[Name] extends FunctionContract<infer Function>
      ? FunctionContract<(...values: Parameters<Function>) => Promise<Awaited<ReturnType<Function>>>>
      : C[Name];
  },
  ThreadPlugin['lookup']
>;

/** A burst is over, and a file is whole, when nothing has changed for that long. */
const SETTLE_MS = 150;

/** Watches a folder; every plugin in it has to hold to all contracts. What does not is left out, and told by `rejected`.
 *  Files and folders whose names begin with `.` or `_` are none, and so are declarations (`.d.ts`).
 *  Errors: ERR_MIDFLIGHT_PLUGIN_UNKNOWN where there is no such folder. */
export async function watchPlugins<const C extends Contracts>(
  directory: string,
  contracts: C,
  options: Omit<ThreadOpenOptions, 'watch' | 'version'>,
): Promise<ThreadPluginSet<C>>;
export async function watchPlugins<const C extends Contracts>(
  directory: string,
  contracts: C,
  options?: Omit<OpenOptions, 'watch' | 'version'>,
): Promise<PluginSet<C>>;
export async function watchPlugins<const C extends Contracts>(
  directory: string,
  contracts: C,
  options: Omit<OpenOptions, 'watch' | 'version'> | Omit<ThreadOpenOptions, 'watch' | 'version'> = {},
): Promise<PluginSet<C> | ThreadPluginSet<C>> {
  const folder = path.resolve(directory);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    const details = [path.basename(folder), path.dirname(folder), 'is no such folder'];
    throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_UNKNOWN', details);
  }
  const set = new FolderSet<C>(folder, contracts, { ...options, watch: false });
  await set.begin();
  const scope = currentScope();
  if (scope !== undefined) set.whenClosed(onScopeEnd(scope, () => void set.close()));
  return set;
}

interface Member<C extends Contracts> extends Opened {
  /** That of its source: `greet.js` is another plugin than `greet.ts`. */
  readonly key: string;
  readonly watched: WatchedPlugin<C>;
}

/** What is in the folder under one name. */
interface Candidate {
  readonly name: string;
  readonly source: PluginSource;
}

interface Problem {
  readonly name: string;
  readonly error: Error;
}

class FolderSet<C extends Contracts> implements PluginSet<C> {
  readonly #folder: string;
  readonly #contracts: C;
  readonly #options: AnyOpenOptions;
  readonly #events = new EventEmitter<WatchEvents>();
  readonly #listeners = new Listeners(this.#events);
  readonly #members = new Map<string, Member<C>>();
  /** Those that are open, and those that were tried: what compiles them knows what it has read. */
  readonly #sources = new Map<string, PluginSource>();
  readonly #refused = new Set<string>();
  #hasNews = false;
  #look: Promise<void> | null = null;
  #unwatch: () => void = () => undefined;
  #forget: () => void = () => undefined;
  #isClosed = false;

  constructor(folder: string, contracts: C, options: AnyOpenOptions) {
    this.#folder = folder;
    this.#contracts = contracts;
    this.#options = options;
  }

  get size(): number {
    return this.#members.size;
  }

  get(name: string): WatchedPlugin<C> | undefined {
    return this.#members.get(name)?.watched;
  }

  *[Symbol.iterator](): Iterator<WatchedPlugin<C>> {
    for (const { watched } of this.#members.values()) yield watched;
  }

  on<Event extends keyof WatchEvents>(event: Event, listener: (...values: WatchEvents[Event]) => void): this {
    this.#listeners.add(event, listener as never);
    return this;
  }

  off<Event extends keyof WatchEvents>(
    event: Event,
    listener: (...values: WatchEvents[Event]) => void,
  ): this {
    this.#listeners.remove(event, listener as never);
    return this;
  }

  async begin(): Promise<void> {
    const { watchFiles } = await import('../release/watch-files.ts');
    // From before the first look, so that nothing comes in between.
    this.#unwatch = watchFiles({
      files: () => [
        path.join(this.#folder, 'any'),
        ...[...this.#sources.values()].flatMap((source) => source.files()),
      ],
      onChange: () => this.#onNews(),
    });
    this.#onNews();
    await this.#look;
  }

  /** Called when it is closed. */
  whenClosed(forget: () => void): void {
    this.#forget = forget;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unwatch();
    this.#forget();
    await this.#look;
    await Promise.all([...this.#members.values()].map(async ({ plugin }) => plugin.close()));
    this.#members.clear();
  }

  #onNews(): void {
    this.#hasNews = true;
    if (this.#isClosed || this.#look !== null) return;
    this.#look = this.#lookUntilSettled()
      .catch((error: unknown) => {
        // Such as a folder that may not be read any more: what is open stays open.
        console.error(`The plugins of ${this.#folder} can't be looked at:`, error);
      })
      .finally(() => {
        this.#look = null;
      });
  }

  /** What can't be let in now may be half of what is being written: it is tried again until that has settled. */
  async #lookUntilSettled(): Promise<void> {
    while (this.#hasNews && !this.#isClosed) {
      this.#hasNews = false;
      const candidates = this.#list();
      if (this.#lacksSome(candidates)) {
        // Many save a file by removing it and writing another, of which news may be on its way.
        await sleep(SETTLE_MS);
        this.#hasNews ||= !this.#lacksSome(this.#list());
        if (this.#hasNews) continue;
      }
      const problems = await this.#letIn(candidates);
      if (problems.length === 0) continue;
      await sleep(SETTLE_MS);
      if (this.#hasNews || problems.some(({ name }) => this.#sources.get(name)?.isSettled() === false)) {
        this.#hasNews = true;
        continue;
      }
      for (const problem of problems) this.#refuse(problem);
      // The others of the burst go without what was refused, which is no longer part of it.
      this.#hasNews = true;
    }
  }

  #lacksSome(candidates: readonly Candidate[]): boolean {
    return [...this.#members.keys()].some((wanted) => !candidates.some(({ name }) => name === wanted));
  }

  /** All that differs, or nothing of it; what speaks against it. */
  async #letIn(candidates: readonly Candidate[]): Promise<Problem[]> {
    const problems: Problem[] = [];
    const opened = new Map<string, Member<C>>();
    const prepared: Prepared[] = [];
    for (const { name, source } of candidates) {
      if (this.#refused.has(name) && source.isSettled()) continue;
      this.#refused.delete(name);
      try {
        const member = this.#members.get(name);
        if (member?.key !== source.key) opened.set(name, await this.#open(source));
        else {
          const next = await member.shared.prepare();
          if (next !== null) prepared.push(next);
        }
      } catch (error) {
        problems.push({ name, error: toError(error) });
      }
    }
    if (problems.length === 0) problems.push(...(await commitAll(prepared)));
    if (problems.length === 0) this.#settle(candidates, opened);
    else {
      for (const each of prepared) await each.abort();
      for (const { plugin } of opened.values()) await plugin.close();
    }
    return problems;
  }

  async #open(source: PluginSource): Promise<Member<C>> {
    const opened = await openFrom(source, this.#options, {
      by: `the host that watches ${this.#folder}`,
      range: null,
    });
    const { plugin } = opened;
    try {
      const names = Object.entries(this.#contracts);
      const exports = Object.fromEntries(
        names.map(([name, contract]) => [name, plugin.lookup(name, contract)]),
      );
      const watched = {
        name: plugin.name,
        get version() {
          return plugin.version;
        },
        lookup: plugin.lookup.bind(plugin),
        exports: exports as WatchedPlugin<C>['exports'],
      };
      return { ...opened, key: source.key, watched };
    } catch (error) {
      await plugin.close();
      throw error;
    }
  }

  #settle(candidates: readonly Candidate[], opened: ReadonlyMap<string, Member<C>>): void {
    const names = new Set(candidates.map(({ name }) => name));
    for (const [name, { plugin }] of this.#members) {
      if (names.has(name) && !opened.has(name)) continue;
      this.#members.delete(name);
      if (!names.has(name)) this.#sources.delete(name);
      void plugin.close();
      this.#events.emit('removed', { name });
    }
    for (const [name, member] of opened) {
      this.#members.set(name, member);
      member.plugin.on('swap', (change) => this.#events.emit('swap', { name, ...change }));
      member.plugin.on('rolled-back', (change) => this.#events.emit('rolled-back', { name, ...change }));
      this.#events.emit('added', { name, version: member.plugin.version });
    }
  }

  #refuse(problem: Problem): void {
    this.#refused.add(problem.name);
    // Who has just opened the folder listens by then.
    setImmediate(() => this.#tell(problem));
  }

  #tell(problem: Problem): void {
    if (!this.#events.emit('rejected', problem))
      console.error(`Plugin ${problem.name} of ${this.#folder} was not let in: ${problem.error.message}`);
  }

  #list(): Candidate[] {
    const names = new Set<string>();
    const entries = existsSync(this.#folder) ? readdirSync(this.#folder, { withFileTypes: true }) : [];
    const isOpen = (entry: Dirent): boolean =>
      this.#members.get(toName(entry) ?? '')?.key === `file:${path.join(this.#folder, entry.name)}`;
    // Of two with one name that which is open stays, such as `greet.ts` beside what is compiled from it.
    const sorted = [...entries.filter(isOpen), ...entries.filter((entry) => !isOpen(entry))];
    return sorted.flatMap((entry) => {
      const name = toName(entry);
      if (name === null || /^[._]/.test(entry.name) || names.has(name)) return [];
      names.add(name);
      const location = path.join(this.#folder, entry.name);
      const known = this.#sources.get(name);
      try {
        const source = known?.key === `file:${location}` ? known : createFileSource(location);
        this.#sources.set(name, source);
        return { name, source };
      } catch {
        // It has gone since: there is news.
        return [];
      }
    });
  }
}

function toName(entry: Dirent): string | null {
  const { name: file } = entry;
  if (isFolder(entry)) return file;
  return /\.d\.[cm]?ts$/.test(file) ? null : (/^(.+)\.[cm]?[jt]s$/.exec(file)?.[1] ?? null);
}

function isFolder(entry: Dirent): boolean {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  const place = path.join(entry.parentPath, entry.name);
  return statSync(place, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** All or none; what kept one from it. */
async function commitAll(prepared: readonly Prepared[]): Promise<Problem[]> {
  const undo: (() => void)[] = [];
  let at: Prepared | undefined;
  try {
    for (at of prepared) await at.ready();
    // In one step.
    for (at of prepared) undo.push(at.commit());
  } catch (error) {
    for (const each of undo.toReversed()) each();
    return [{ name: at?.running.release.name ?? '', error: toError(error) }];
  }
  return [];
}
