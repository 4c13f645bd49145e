/** The plugins that one in a thread requires, as its code sees them: every call goes by way of the host. */

import { EventEmitter } from 'node:events';
import { MidflightError } from '../../errors.ts';
import {
  findMismatch,
  toContracted,
  withCheckedArguments,
  withCheckedResult,
  type Contract,
  type Found,
} from '../contract.ts';
import type { Plugin, PluginEvents } from '../plugin-api.ts';
import { fromCopiedError, type CopiedError } from './copied-error.ts';
import type { Exchange } from './exchange.ts';
import type { HostSide, SyncLine, SyncSide } from './sides.ts';
import { askSync } from './sync-line.ts';

export interface RequiredOptions {
  readonly sync: SyncLine;
  readonly exchange: Exchange<HostSide>;
}

export interface RequiredPlugins {
  open(names: readonly string[]): Record<string, Plugin>;
  /** One of them has told of something. */
  tell(plugin: string, event: string, values: readonly unknown[], error: CopiedError | null): void;
}

export function createRequiredPlugins({ sync, exchange }: RequiredOptions): RequiredPlugins {
  const ask = askSync<SyncSide>(sync);
  const opened = new Map<string, Required>();
  return {
    open(names) {
      for (const name of names) opened.set(name, new Required(name, ask, exchange));
      return Object.fromEntries(opened);
    },
    tell(plugin, event, [value], error) {
      const told = error === null ? value : { ...(value as object), error: fromCopiedError(error) };
      opened.get(plugin)?.events.emit(event, told);
    },
  };
}

class Required implements Plugin {
  readonly name: string;
  readonly events = new EventEmitter();
  readonly #ask: ReturnType<typeof askSync<SyncSide>>;
  readonly #exchange: Exchange<HostSide>;
  readonly #heard = new Set<string>();

  constructor(name: string, ask: ReturnType<typeof askSync<SyncSide>>, exchange: Exchange<HostSide>) {
    this.name = name;
    this.#ask = ask;
    this.#exchange = exchange;
  }

  get version(): string | null {
    return this.#ask('version', this.name);
  }

  lookup(name: string, contract: Contract): never {
    const there = this.#ask('lookup', this.name, name, 'kind' in contract);
    if (there.kind === 'value') {
      this.#require(name, contract, there);
      return toContracted(contract, there.value) as never;
    }
    const { lookup } = there;
    const label = `${name}() of plugin ${this.name}`;
    const call = withCheckedResult(contract, label, (...values) => this.#call(label, lookup, values));
    return withCheckedArguments(contract, label, call) as never;
  }

  #require(name: string, contract: Contract, found: Found): void {
    const mismatch = findMismatch(contract, found);
    if (mismatch !== null)
      throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_MISMATCH', [this.name, name, mismatch]);
  }

  #call(label: string, lookup: number, values: readonly unknown[]): Promise<unknown> {
    try {
      return this.#exchange.ask('callRequired', lookup, values);
    } catch (cause) {
      return Promise.reject(toUncopiedArguments(label, cause));
    }
  }

  async pin(version: string | null): Promise<void> {
    await this.#exchange.ask('manageRequired', this.name, 'pin', version);
  }

  async refresh(): Promise<void> {
    await this.#exchange.ask('manageRequired', this.name, 'refresh', null);
  }

  async close(): Promise<void> {
    await this.#exchange.ask('manageRequired', this.name, 'close', null);
  }

  on<Event extends keyof PluginEvents>(
    event: Event,
    listener: (...values: PluginEvents[Event]) => void,
  ): this {
    this.events.on(event, listener);
    if (this.#heard.has(event)) return this;
    this.#heard.add(event);
    // It fails only when the thread ends.
    this.#exchange.ask('hear', this.name, event).catch(() => undefined);
    return this;
  }

  off<Event extends keyof PluginEvents>(
    event: Event,
    listener: (...values: PluginEvents[Event]) => void,
  ): this {
    this.events.off(event, listener);
    return this;
  }
}

/** What postMessage throws, as the mistake of who calls. */
export function toUncopiedArguments(label: string, cause: unknown): MidflightError {
  const problem = (cause instanceof Error ? cause.message : String(cause)).replace(/\.$/, '');
  const details = [label, `an argument can't be copied to another thread (${problem})`];
  return new MidflightError('ERR_MIDFLIGHT_PLUGIN_ARGUMENTS_INVALID', details, { cause });
}
