/** Many calls, few acts. */

/** What is called while `act` is at work is answered by one more after it, unless the work has not begun yet. */
export function coalesce(act: (onBegin: () => void) => Promise<void>): () => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  let isOneToCome = false;
  return async () => {
    if (!isOneToCome) {
      isOneToCome = true;
      const begin = (): void => void (isOneToCome = false);
      const before = last;
      last = (async () => {
        await before;
        await act(begin).finally(begin);
      })();
    }
    return last;
  };
}
