/** What one host has looked up under one name: a function, or an object, that stays while versions change. */

import { MidflightError, type ErrorCode } from '../errors.ts';
import {
  findMismatch,
  isThenable,
  toContracted,
  withCheckedArguments,
  withCheckedResult,
  type Call,
  type Contract,
} from './contract.ts';
import { createLiveValue } from './live-value.ts';
import type { RunningVersion } from './running-version.ts';
import { within } from './within.ts';

/** What the calls of all slots of a plugin have in common. */
export interface Calls {
  /** How many have failed since one went well. */
  failedCount: number;
  readonly timeoutMs: number | null;
  /** Every call answers with a promise, also where it fails before the plugin is called. */
  readonly isAsync: boolean;
  onFailure(version: RunningVersion, error: unknown): void;
}

export interface SlotOptions {
  readonly plugin: string;
  readonly name: string;
  readonly contract: Contract;
  readonly calls: Calls;
}

export interface Slot {
  /** Errors: ERR_MIDFLIGHT_PLUGIN_MISMATCH. */
  check(version: RunningVersion): void;
  /** From now on that version is called. */
  point(version: RunningVersion): void;
  /** From now on every call waits for that, and calls what is called then. */
  hold(gate: Promise<void>): void;
  /** From now on every call throws that. */
  stop(error: () => Error): void;
  /** What the host gets. */
  value(): unknown;
}

export function createSlot(options: SlotOptions): Slot {
  return new LookedUp(options);
}

class LookedUp implements Slot {
  readonly #options: SlotOptions;
  readonly #stable: Call;
  #call: Call;
  #version: RunningVersion | null = null;
  #value: unknown;
  #isAimed = false;
  /** Made once: the function or object that the host keeps. */
  #kept: unknown;

  constructor(options: SlotOptions) {
    this.#options = options;
    this.#stable = this.#makeStable();
    this.#call = () => {
      throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_UNREADY', [options.plugin]);
    };
  }

  check(version: RunningVersion): void {
    const { name, contract } = this.#options;
    const mismatch = findMismatch(contract, version.find(name));
    if (mismatch === null) return;
    throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_MISMATCH', [version.label, name, mismatch]);
  }

  point(version: RunningVersion): void {
    const { name, contract } = this.#options;
    const found = version.find(name);
    this.#version = version;
    this.#isAimed = true;
    if (found.kind === 'function') {
      this.#call = withCheckedResult(contract, `${name}() of plugin ${version.label}`, version.toCall(name));
    } else if (found.kind === 'value') this.#value = toContracted(contract, found.value);
  }

  hold(gate: Promise<void>): void {
    // It is of no version before it begins.
    this.#version = null;
    this.#call = async (...values) => {
      await gate;
      return this.#stable(...values);
    };
  }

  stop(error: () => Error): void {
    this.#call = () => {
      throw error();
    };
  }

  value(): unknown {
    if (this.#kept !== undefined) return this.#kept;
    if ('kind' in this.#options.contract) this.#kept = this.#toFunction();
    else if (typeof this.#value === 'object' && this.#value !== null)
      this.#kept = createLiveValue(() => this.#value as object);
    else if (!this.#isAimed) throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_UNREADY', [this.#options.plugin]);
    return this.#kept ?? this.#value;
  }

  #toFunction(): Call {
    const { plugin, name, contract, calls } = this.#options;
    const checked = withCheckedArguments(contract, `${name}() of plugin ${plugin}`, this.#stable);
    return calls.isAsync ? async (...values) => checked(...values) : checked;
  }

  /** The way of every call: a call of the version's own function, and what a failure needs. */
  #makeStable(): Call {
    const { calls } = this.#options;
    const current = (): Call => this.#call;
    const fail = (error: unknown): void => this.#noteFailure(this.#version, error);
    const follow = async (result: PromiseLike<unknown>): Promise<unknown> => this.#follow(result);
    return function (...values: unknown[]): unknown {
      const call = current();
      let result: unknown;
      try {
        result = new.target === undefined ? call(...values) : Reflect.construct(call, values);
      } catch (error) {
        fail(error);
        throw error;
      }
      if (typeof result === 'object' && result !== null && isThenable(result)) return follow(result);
      if (calls.failedCount !== 0) calls.failedCount = 0;
      return result;
    };
  }

  async #follow(result: PromiseLike<unknown>): Promise<unknown> {
    const version = this.#version;
    const { calls } = this.#options;
    if (version === null) return result;
    version.inFlightCount += 1;
    // The call itself goes on where its deadline has passed: only its own end ends it.
    const settled = Promise.resolve(result).finally(() => (version.inFlightCount -= 1));
    try {
      const value = await within(calls.timeoutMs, settled, () => this.#toLate(version));
      // A version that was before says nothing about the one that is called now.
      if (version === this.#version) calls.failedCount = 0;
      return value;
    } catch (error) {
      this.#noteFailure(version, error);
      throw error;
    }
  }

  #toLate(version: RunningVersion): Error {
    const { calls, name } = this.#options;
    version.noteTimeout();
    const details = [`${name}() of plugin ${version.label}`, String(calls.timeoutMs)];
    return new MidflightError('ERR_MIDFLIGHT_PLUGIN_TIMED_OUT', details);
  }

  #noteFailure(version: RunningVersion | null, error: unknown): void {
    if (version !== null && !isOurs(error)) this.#options.calls.onFailure(version, error);
  }
}

/** The plugin was not called at all, or its thread has ended, which is a failure by itself. */
const notOfTheCall: ReadonlySet<ErrorCode> = new Set([
  'ERR_MIDFLIGHT_PLUGIN_SUSPENDED',
  'ERR_MIDFLIGHT_PLUGIN_CLOSED',
  'ERR_MIDFLIGHT_PLUGIN_UNREADY',
  'ERR_MIDFLIGHT_PLUGIN_ARGUMENTS_INVALID',
  'ERR_MIDFLIGHT_PLUGIN_STOPPED',
]);

function isOurs(error: unknown): boolean {
  return error instanceof MidflightError && notOfTheCall.has(error.code);
}
