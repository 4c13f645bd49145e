/** Waits for something, and not longer than that. */

/** Rejects with an error of the time when it is over, for null never; the rest of `awaited` is nobody's then. */
export async function within<Value>(
  timeoutMs: number | null,
  awaited: PromiseLike<Value>,
  toError = (problem: string): Error => new Error(problem),
): Promise<Value> {
  if (timeoutMs === null) return awaited;
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(toError(`it has not ended after ${timeoutMs} ms`)), timeoutMs);
  try {
    return await Promise.race([awaited, promise]);
  } finally {
    clearTimeout(timer);
  }
}
