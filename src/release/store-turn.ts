/**
 * Whose turn it is with what releases share: a build, which counts on what is there already, or a sweep, which removes what no release
 * names. In one process only: builds of a supervisor and sweeps are in its own, and a sweep without one has its lock.
 */

const turns = new Map<string, Promise<unknown>>();

/** Runs one piece of work after the other, by the folder that they are about. */
export async function takeStoreTurn<Result>(directory: string, work: () => Promise<Result>): Promise<Result> {
  const mine = (turns.get(directory) ?? Promise.resolve()).then(work, work);
  const settled = mine.catch(() => null);
  turns.set(directory, settled);
  try {
    return await mine;
  } finally {
    if (turns.get(directory) === settled) turns.delete(directory);
  }
}
