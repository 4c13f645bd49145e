/** Lets in what a source has anew, when it is whole: what fails while it is still being written has not failed. */

import { setTimeout as sleep } from 'node:timers/promises';
import { toError } from '../errors.ts';

/** Half of a file that is being written is looked at again when nothing has changed for that long. */
const SETTLE_MS = 150;

export interface NewsOptions {
  readonly isSettled: () => boolean;
  readonly isClosed: () => boolean;
  readonly letIn: () => Promise<void>;
  /** What is there stays refused. */
  readonly onRejected: (error: Error) => void;
}

export class News {
  readonly #options: NewsOptions;
  #isWaiting = false;

  constructor(options: NewsOptions) {
    this.#options = options;
  }

  /** There may be something new. False where that is known already. */
  note(): boolean {
    if (this.#isWaiting || this.#options.isClosed()) return false;
    return (this.#isWaiting = true);
  }

  async take(): Promise<void> {
    const { isSettled, isClosed, letIn, onRejected } = this.#options;
    for (;;) {
      this.#isWaiting = false;
      try {
        return await letIn();
      } catch (error) {
        await sleep(SETTLE_MS);
        if (isClosed()) return;
        if (this.#isWaiting || !isSettled()) continue;
        return onRejected(toError(error));
      }
    }
  }
}
