/** Remembers which line called, at the price of two stack frames; the text is made when someone asks. */

export interface Caller {
  /** `file:line:column` of the caller, or `unknown`. */
  line(): string;
}

/** The caller of `api`, which must be on the stack. */
export function captureCaller(api: (...values: never[]) => unknown): Caller {
  const holder: { stack?: string } = {};
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 1;
  Error.captureStackTrace(holder, api);
  Error.stackTraceLimit = limit;
  return { line: () => toLine(holder.stack) };
}

function toLine(stack: string | undefined): string {
  const frame = stack?.split('\n').find((line) => line.trimStart().startsWith('at '));
  const place =
    frame?.match(/\(([^()]+:\d+:\d+)\)$/)?.[1] ?? frame?.match(/at (?:async )?(.+:\d+:\d+)$/)?.[1];
  return place?.replace(/^file:\/\//, '') ?? 'unknown';
}
