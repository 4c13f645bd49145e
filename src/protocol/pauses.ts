/** Long work in small pieces: between them the process answers requests. */

/** So long may a piece of work keep all other work of the process waiting. */
const PIECE_MS = 4;

export interface Pauses {
  /** Resolves at once while the piece is short, else when everything else has had its turn. */
  next(): Promise<void> | void;
}

/** For one work that begins now. */
export function createPauses(): Pauses {
  let startedAt = performance.now();
  return {
    next: () => (performance.now() - startedAt < PIECE_MS ? undefined : pause()),
  };

  async function pause(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    startedAt = performance.now();
  }
}
