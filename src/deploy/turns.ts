/** Whose turn it is to deploy: one at a time, and those who wait in the order in which they came. */

import { MidflightError } from '../errors.ts';

export interface TurnWish {
  /** How long to wait where it is somebody else's turn; 0 is not at all. */
  readonly waitMs: number;
  /** Ends the waiting: nobody wants the turn any more. */
  readonly signal?: AbortSignal | undefined;
  /** Called where there is a wait, with who is at work. */
  readonly onWait?: ((holder: string) => void) | undefined;
}

export interface Turns {
  isTaken(): boolean;
  /** Resolves with what gives the turn back. Errors: ERR_MIDFLIGHT_DEPLOY_LOCKED where it did not come in time. */
  take(wish: TurnWish): Promise<() => void>;
}

/** Makes the queue; `describeHolder` says who is at work. */
export function createTurns(describeHolder: () => string): Turns {
  const waiting = new Set<() => void>();
  let isTaken = false;

  const giveBack = (): void => {
    const [next] = waiting;
    if (next === undefined) isTaken = false;
    else next();
  };

  const toTurn = (): (() => void) => {
    let isMine = true;
    return () => {
      if (isMine) giveBack();
      isMine = false;
    };
  };

  async function waitForTurn({ waitMs, signal, onWait }: TurnWish): Promise<void> {
    onWait?.(describeHolder());
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const refuse = (waited: string): void => {
      // At once: a turn that is given to who has gone would never come back.
      waiting.delete(resolve);
      reject(new MidflightError('ERR_MIDFLIGHT_DEPLOY_LOCKED', [describeHolder(), waited]));
    };
    const timer = setTimeout(() => refuse(`${waitMs} ms`), waitMs);
    const onAbort = (): void => refuse('the client had gone');
    signal?.addEventListener('abort', onAbort);
    waiting.add(resolve);
    try {
      await promise;
    } finally {
      waiting.delete(resolve);
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  return {
    isTaken: () => isTaken,
    async take(wish) {
      if (!isTaken) isTaken = true;
      else if (wish.waitMs > 0 && wish.signal?.aborted !== true) await waitForTurn(wish);
      else throw new MidflightError('ERR_MIDFLIGHT_DEPLOY_LOCKED', [describeHolder(), '']);
      return toTurn();
    },
  };
}
