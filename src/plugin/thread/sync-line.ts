/** Questions that a thread stands still for until its host has answered. The host never waits. */

import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { fromCopiedError, toCopiedError, type CopiedError } from './copied-error.ts';
import type { SyncLine } from './sides.ts';

/** A host that does not answer by then is itself stuck. */
const ANSWER_TIMEOUT_MS = 10_000;

type AnyFunction = (...values: never[]) => unknown;
type Given<Own, Kind extends keyof Own> = Own[Kind] extends AnyFunction ? Parameters<Own[Kind]> : never;
type Answered<Own, Kind extends keyof Own> = Own[Kind] extends AnyFunction ? ReturnType<Own[Kind]> : never;

interface Answer {
  readonly value?: unknown;
  readonly error?: CopiedError;
}

/** The host's end, which answers with the functions of `own`. */
export function answerSync(own: object): { readonly line: SyncLine; close(): void } {
  const { port1, port2 } = new MessageChannel();
  const answered = new SharedArrayBuffer(4);
  port1.on('message', ([kind, values]: [string, readonly unknown[]]) => {
    port1.postMessage(toAnswer(own, kind, values));
    Atomics.add(new Int32Array(answered), 0, 1);
    Atomics.notify(new Int32Array(answered), 0);
  });
  port1.unref();
  return { line: { port: port2, answered }, close: () => port1.close() };
}

function toAnswer(own: object, kind: string, values: readonly unknown[]): Answer {
  try {
    if (!Object.hasOwn(own, kind)) throw new Error(`Nobody here knows "${kind}"`);
    const value = (own as Record<string, (...given: readonly unknown[]) => unknown>)[kind]?.(...values);
    return { value: structuredClone(value) };
  } catch (error) {
    return { error: toCopiedError(error) };
  }
}

/** The thread's end. Errors of what it returns: what the host threw. */
export function askSync<Other>({ port, answered }: SyncLine) {
  const count = new Int32Array(answered);
  return <Kind extends keyof Other & string>(
    kind: Kind,
    ...values: Given<Other, Kind>
  ): Answered<Other, Kind> => {
    const before = Atomics.load(count, 0);
    port.postMessage([kind, values]);
    if (Atomics.wait(count, 0, before, ANSWER_TIMEOUT_MS) === 'timed-out')
      throw new Error(`The host of the plugin has not answered after ${ANSWER_TIMEOUT_MS} ms`);
    const { value, error } = (receiveMessageOnPort(port) as { readonly message: Answer }).message;
    if (error !== undefined) throw fromCopiedError(error);
    return value as Answered<Other, Kind>;
  };
}
