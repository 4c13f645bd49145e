/** Which version of a plugin those want who have it open: the one that is pinned, else the newest that all can work with. */

import { MidflightError } from '../errors.ts';
import type { KnownVersions } from './known-versions.ts';
import { requireRange } from './need.ts';
import type { PluginRelease } from './plugin-release.ts';
import type { Need, PluginSource } from './plugin-source.ts';
import type { Holder } from './shared-options.ts';

export interface WantedOptions {
  readonly source: PluginSource;
  readonly known: KnownVersions;
  readonly needs: () => readonly Need[];
}

export class Wanted {
  readonly #options: WantedOptions;
  /** As long as that one has it open. */
  pin: { readonly version: string; readonly by: Holder } | null = null;
  /** Of what was tried last; null where it has not said one, or could not be read. */
  tried: string | null = null;

  constructor(options: WantedOptions) {
    this.#options = options;
  }

  /** Errors: those of the source. */
  async load(): Promise<PluginRelease> {
    const { source, known, needs } = this.#options;
    const pinned = this.pin?.version ?? null;
    this.tried = pinned;
    const kept = pinned === null ? undefined : known.find(pinned);
    const release = kept ?? (await source.load({ pinned, needs: needs() }));
    this.tried = release.version;
    return release;
  }

  /** Errors: ERR_MIDFLIGHT_PLUGIN_VERSION_UNKNOWN, …_UNSATISFIED. */
  require(version: string | null): void {
    const { source, known, needs } = this.#options;
    const { pin } = this;
    this.tried = version;
    if (pin !== null && version !== pin.version) {
      const details = [source.name, pin.version, known.describe()];
      throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_VERSION_UNKNOWN', details);
    }
    for (const need of needs()) requireRange(source.name, version, need);
  }
}
