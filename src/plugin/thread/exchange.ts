/**
 * Questions and answers between two threads, in both directions over one port. Owns what is asked and not answered yet.
 *
 * 1. Every question is settled: by its answer, or by `close`.
 * 2. Only questions that are open keep the process up.
 */

import type { MessagePort } from 'node:worker_threads';
import { fromCopiedError, toCopiedError, type CopiedError } from './copied-error.ts';

type AnyFunction = (...values: never[]) => unknown;
/** What one side may ask of the other, as functions. */
export type Side = Readonly<Record<string, AnyFunction>>;

export interface Exchange<Other> {
  /** Errors: a DataCloneError, thrown at once; what the other side threw; the reason of `close`. */
  ask<Kind extends keyof Other & string>(
    kind: Kind,
    ...values: Other[Kind] extends AnyFunction ? Parameters<Other[Kind]> : never
  ): Promise<Other[Kind] extends AnyFunction ? Awaited<ReturnType<Other[Kind]>> : never>;
  /** Every open question, and each to come, is rejected with that. */
  close(reason: Error): void;
}

interface Question {
  readonly id: number;
  readonly kind: string;
  readonly values: readonly unknown[];
}

interface Answer {
  readonly to: number;
  readonly value?: unknown;
  readonly error?: CopiedError;
}

export interface ExchangeOptions<Own> {
  readonly port: MessagePort;
  readonly own: Own;
  /** True where the port alone keeps nothing up. */
  readonly isUnref: boolean;
  /** What to answer where an answer can't be copied. */
  readonly onUncopied?: (kind: string, values: readonly unknown[], problem: string) => unknown;
}

/** Answers with the functions of `own` from now on. */
export function createExchange<Own extends object, Other>(options: ExchangeOptions<Own>): Exchange<Other> {
  return new Port<Own, Other>(options);
}

class Port<Own extends object, Other> implements Exchange<Other> {
  readonly #options: ExchangeOptions<Own>;
  readonly #open = new Map<number, PromiseWithResolvers<unknown>>();
  #count = 0;
  #closed: Error | null = null;

  constructor(options: ExchangeOptions<Own>) {
    this.#options = options;
    options.port.on('message', (message: Question | Answer) => {
      if ('to' in message) this.#settle(message);
      else void this.#answer(message);
    });
    if (options.isUnref) options.port.unref();
  }

  ask(kind: string, ...values: readonly unknown[]): Promise<never> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    const { port, isUnref } = this.#options;
    const id = ++this.#count;
    // An empty list to transfer costs a microsecond.
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port knows none.
    port.postMessage({ id, kind, values } satisfies Question);
    const settled = Promise.withResolvers<unknown>();
    if (isUnref && this.#open.size === 0) port.ref();
    this.#open.set(id, settled);
    return settled.promise as Promise<never>;
  }

  close(reason: Error): void {
    this.#closed ??= reason;
    for (const { reject } of this.#open.values()) reject(reason);
    this.#open.clear();
    this.#options.port.close();
  }

  #settle({ to, value, error }: Answer): void {
    const asked = this.#open.get(to);
    if (!this.#open.delete(to)) return;
    if (this.#options.isUnref && this.#open.size === 0) this.#options.port.unref();
    if (error === undefined) asked?.resolve(value);
    else asked?.reject(fromCopiedError(error));
  }

  async #answer({ id, kind, values }: Question): Promise<void> {
    const { own } = this.#options;
    let value: unknown;
    try {
      if (!Object.hasOwn(own, kind)) throw new Error(`Nobody here knows "${kind}"`);
      value = await (own as Record<string, (...given: readonly unknown[]) => unknown>)[kind]?.(...values);
    } catch (error) {
      return this.#post({ to: id, error: toCopiedError(error) });
    }
    try {
      this.#post({ to: id, value });
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      const said = this.#options.onUncopied?.(kind, values, problem.replace(/\.$/, '')) ?? error;
      this.#post({ to: id, error: toCopiedError(said) });
    }
  }

  #post(answer: Answer): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port knows none.
    this.#options.port.postMessage(answer);
  }
}
