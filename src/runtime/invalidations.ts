/**
 * Modules that said, by `import.meta.hot.invalidate`, that they can't be replaced in place. Owns which they are, until a
 * generation takes them in, and the evaluation that does so where no other will.
 */

export class Invalidations {
  /** Whether the version that said so is current, by path. */
  readonly #byPath = new Map<string, boolean>();
  #evaluation: Promise<void> | null = null;

  /** The one that is under way. */
  get evaluation(): Promise<void> | null {
    return this.#evaluation;
  }

  get isEmpty(): boolean {
    return this.#byPath.size === 0;
  }

  add(path: string, isCurrent: boolean): void {
    this.#byPath.set(path, isCurrent);
  }

  /** A generation takes them in. */
  takeAll(): string[] {
    const paths = [...this.#byPath.keys()];
    this.#byPath.clear();
    return paths;
  }

  /** What was prepared is gone, and its versions with it. */
  keepCurrent(): void {
    for (const [path, isCurrent] of this.#byPath) if (!isCurrent) this.#byPath.delete(path);
  }

  clear(): void {
    this.#byPath.clear();
  }

  /** Starts the evaluation that takes them in. What it rejects with is reported. */
  evaluate(evaluation: Promise<void>): void {
    const reported = evaluation
      .catch((error: unknown) => console.error('What was invalidated could not be evaluated again:', error))
      .finally(() => {
        if (this.#evaluation === reported) this.#evaluation = null;
      });
    this.#evaluation = reported;
  }
}
