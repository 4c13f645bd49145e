/** Waits for something, and not longer than that. */

/** Rejects with an error of the time when it is over; the rest of `awaited` is nobody's then. */
export async function within<Value>(timeoutMs: number, awaited: PromiseLike<Value>): Promise<Value> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`it has not ended after ${timeoutMs} ms`)), timeoutMs);
  try {
    return await Promise.race([awaited, promise]);
  } finally {
    clearTimeout(timer);
  }
}
