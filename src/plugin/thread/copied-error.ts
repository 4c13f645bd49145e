/** What was thrown in one thread, for another. A structured clone of an Error has lost its code and its class. */

import { catalog, MidflightError, type ErrorCode } from '../../errors.ts';

/** How far down `cause` is followed. */
const CAUSES_MAX = 8;

export interface CopiedError {
  /** Absent where something else than an Error was thrown. */
  readonly error?: {
    readonly name: string;
    readonly message: string;
    readonly stack: string;
    readonly code?: unknown;
    /** Of one of ours. */
    readonly details?: readonly string[];
    readonly cause?: CopiedError;
  };
  readonly value?: unknown;
}

export function toCopiedError(thrown: unknown, depth = 0): CopiedError {
  if (!(thrown instanceof Error)) return { value: isCloneable(thrown) ? thrown : String(thrown) };
  const code: unknown = 'code' in thrown && isCloneable(thrown.code) ? thrown.code : undefined;
  return {
    error: {
      name: toText(thrown.name),
      message: toText(thrown.message),
      stack: toText(thrown.stack ?? thrown.message),
      ...(code === undefined ? {} : { code }),
      ...(thrown instanceof MidflightError ? { details: thrown.details } : {}),
      ...(thrown.cause === undefined || depth >= CAUSES_MAX
        ? {}
        : { cause: toCopiedError(thrown.cause, depth + 1) }),
    },
  };
}

/** Who throws may have set it to anything. */
function toText(value: unknown): string {
  return typeof value === 'string' ? value : String(value);
}

/** One of ours is one of ours again; any other is an Error with the name of its class. */
export function fromCopiedError({ error, value }: CopiedError): unknown {
  if (error === undefined) return value;
  const { name, message, stack, code, details } = error;
  const options = error.cause === undefined ? {} : { cause: fromCopiedError(error.cause) };
  const isOurs = details !== undefined && typeof code === 'string' && Object.hasOwn(catalog, code);
  const revived = isOurs
    ? new MidflightError(code as ErrorCode, details, options)
    : new Error(message, options);
  const define = (key: string, of: unknown): void => {
    Object.defineProperty(revived, key, { value: of, writable: true, configurable: true });
  };
  define('stack', stack);
  if (!isOurs) define('name', name);
  if (!isOurs && code !== undefined) Object.assign(revived, { code });
  return revived;
}

export function isCloneable(value: unknown): boolean {
  return findCloneProblem(value) === null;
}

/** Null where a copy of it can go to another thread, else why not. */
export function findCloneProblem(value: unknown): string | null {
  try {
    structuredClone(value);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
  }
}
