/** When a plugin whose thread has ended by itself is started again: the sooner, the longer it has lasted. */

/** The first time; then twice as long each time. */
const DELAY_MS = 50;

export class Restarts {
  readonly #failures: number;
  readonly #restMs: number;
  #count = 0;
  #lastMs = -Infinity;

  /** After `failures` in a row it rests for `restMs`; one that has lasted for longer than that begins anew. */
  constructor({ failures, restMs }: { readonly failures: number; readonly restMs: number }) {
    this.#failures = failures;
    this.#restMs = restMs;
  }

  /** It has ended now. */
  next(nowMs: number): { readonly delayMs: number; readonly isRest: boolean } {
    const hasLasted = nowMs - this.#lastMs > 2 * this.#restMs;
    this.#count = hasLasted ? 1 : this.#count + 1;
    this.#lastMs = nowMs;
    if (this.#count >= this.#failures) return { delayMs: this.#restMs, isRest: true };
    return { delayMs: Math.min(DELAY_MS * 2 ** (this.#count - 1), this.#restMs), isRest: false };
  }
}
