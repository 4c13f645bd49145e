/** What `midflight dev` runs, whatever it is written in. */

export interface DevApp {
  /** Resolves when it serves, or when it is known that it does not yet. */
  start(): Promise<void>;
  /** These files, relative to the root, have changed. */
  notice(paths: readonly string[]): void;
  /** Any file may have changed. */
  noticeAny(): void;
  /** A new process takes over, for a reason that is told. */
  handoff(reason: string): void;
  /** Back to the code before the last swap.
   *  Errors: ERR_MIDFLIGHT_INVALID_STATE where there is none. */
  undo(): Promise<void>;
  /** The imports that lead from the entry to each of these files; empty where that is not known. */
  chainsTo(paths: readonly string[]): Promise<readonly (readonly string[])[]>;
  /** Whether it is a part of the app for sure, also when git ignores it. */
  knows(path: string): boolean;
  stop(): Promise<void>;
}
