/** How long to wait before what has crashed is started again. */

const BACK_OFF_MS_MIN = 100;
const BACK_OFF_MS_MAX = 10_000;
/** What lived this long did not crash because it was started. */
const BACK_OFF_RESET_MS = 10_000;

export interface BackOff {
  /** Doubles from one crash to the next; begins anew after one that came late. */
  nextDelayMs(lifetimeMs: number): number;
  /** True when the last delay was that of a first crash. */
  isFirst(): boolean;
}

export function createBackOff({ isFirstAtOnce = false } = {}): BackOff {
  const first = isFirstAtOnce ? 0 : BACK_OFF_MS_MIN;
  let delayMs = first;
  let given = 0;
  return {
    nextDelayMs(lifetimeMs) {
      if (lifetimeMs > BACK_OFF_RESET_MS) delayMs = first;
      given = delayMs;
      delayMs = Math.min(Math.max(delayMs * 2, BACK_OFF_MS_MIN), BACK_OFF_MS_MAX);
      return given;
    },
    isFirst: () => given === first,
  };
}
