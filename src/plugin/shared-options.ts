/** What a plugin of this process is made of, and what whoever has it open has of it. */

import type { Plugin } from './plugin-api.ts';
import type { PluginRelease } from './plugin-release.ts';
import type { Need, PluginSource } from './plugin-source.ts';
import type { RunningVersion } from './running-version.ts';
import type { Slot } from './slot.ts';

export interface SharedOptions {
  readonly source: PluginSource;
  /** Evaluates a version. */
  readonly evaluate: (release: PluginRelease, number: number) => Promise<RunningVersion>;
  /** Opens what a version requires; `by` is who needs it. */
  readonly openRequired: (name: string, need: Need) => Promise<Plugin>;
  readonly isWatched: boolean;
  readonly timeoutMs: number | null;
  /** Its calls answer with promises only. */
  readonly isAsync: boolean;
  readonly drainTimeoutMs: number;
  readonly probationMs: number;
  readonly breaker: { readonly failures: number; readonly restMs: number };
  /** Nobody has it open any more. */
  readonly onClosed: () => void;
}

/** One who has it open. */
export interface Holder {
  readonly need: Need;
  /** The plugin that requires it; null for a host. */
  readonly by: Held | null;
  readonly slots: Set<Slot>;
}

/** A plugin, as far as it matters to those that it requires. */
export interface Held {
  /** Whether some host has it open, or a plugin that some host has open; `seen` has been asked already. */
  isHeldByHost(seen: Set<Held>): boolean;
}

export interface Prepared {
  readonly running: RunningVersion;
  /** Waits for what a commit needs and can't have in one step, the states of another thread, and holds calls back until `commit`
   *  or `abort`. Nothing in this process.
   *  Errors: those of a state; then it is to be aborted. */
  ready(): Promise<void>;
  /** After `ready`. Gives what takes it back, which has to be called at once or never.
   *  Errors: those of a state's migration; nothing has changed then, and it is to be aborted. */
  commit(): () => void;
  /** Nothing where it was committed. */
  abort(): Promise<void>;
}
