/** One version of a plugin, compiled and not run: what a source gives. */

import type { LoadedRelease } from '../runtime/loaded-release.ts';

export interface PluginRelease {
  readonly name: string;
  /** Where somebody has said it before the code runs; `definePlugin` may still say it. */
  readonly version: string | null;
  /** Of all its modules: two releases with the same are the same. */
  readonly digest: string;
  readonly loaded: LoadedRelease;
}

/** As errors and events name it: `greet@1.2.0`, or `greet (5f3a…)` for one without a version. */
export function toLabel({ name, version, digest }: Omit<PluginRelease, 'loaded'>): string {
  return version === null ? `${name} (${digest.slice(0, 8)})` : `${name}@${version}`;
}
