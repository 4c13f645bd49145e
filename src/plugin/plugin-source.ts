/** Where versions of a plugin come from. */

import type { PluginRelease } from './plugin-release.ts';

/** What one needs who has a plugin open. */
export interface Need {
  /** Who needs it, in words. */
  readonly by: string;
  /** A semver range; null: any. */
  readonly range: string | null;
}

export interface WantedVersion {
  /** Exactly this one; null: the newest that fits. */
  readonly pinned: string | null;
  /** Of all who have it open. */
  readonly needs: readonly Need[];
}

export interface PluginSource {
  /** The same for whoever means the same plugin. */
  readonly key: string;
  readonly name: string;
  /** Compiled, or read; nothing of it is run.
   *  Errors: ERR_MIDFLIGHT_PLUGIN_UNKNOWN, …_VERSION_UNKNOWN, …_VERSION_UNSATISFIED, ERR_MIDFLIGHT_SYNTAX and the like. */
  load(wanted: WantedVersion): Promise<PluginRelease>;
  /** Another plugin that this one requires. */
  sibling(name: string): PluginSource;
  /** Calls back when there may be something new, until the returned function is called. */
  watch(onChange: () => void): Promise<() => void>;
  /** The files that it has read last: absolute paths. */
  files(): readonly string[];
  /** Whether what `load` has read last is still there in the same form: half of a file that is being written is not. */
  isSettled(): boolean;
}
