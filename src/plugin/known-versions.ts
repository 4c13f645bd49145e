/** Versions that were called before: somebody may pin one again, so their code stays in memory; and those that had to go. */

import type { PluginRelease } from './plugin-release.ts';
import type { RunningVersion } from './running-version.ts';

const KNOWN_COUNT_MAX = 20;
const REFUSED_COUNT_MAX = 100;

export class KnownVersions {
  readonly #releases: PluginRelease[] = [];
  readonly #refused = new Set<string>();

  add({ release, version }: RunningVersion): void {
    const known = this.#releases.findIndex((each) => each.version === version);
    if (known !== -1) this.#releases.splice(known, 1);
    this.#releases.push({ ...release, version });
    if (this.#releases.length > KNOWN_COUNT_MAX) this.#releases.shift();
  }

  find(version: string): PluginRelease | undefined {
    return this.#releases.find((release) => release.version === version);
  }

  /** Which there are, for a message. */
  describe(): string {
    const there = this.#releases.flatMap(({ version }) => version ?? []);
    return there.length === 0 ? 'is none yet' : `are ${there.join(', ')}`;
  }

  /** It has failed when it was called, and is not let in again. */
  refuse({ release }: RunningVersion): void {
    this.#refused.add(release.digest);
    const [oldest] = this.#refused;
    if (this.#refused.size > REFUSED_COUNT_MAX && oldest !== undefined) this.#refused.delete(oldest);
  }

  isRefused({ digest }: PluginRelease): boolean {
    return this.#refused.has(digest);
  }
}
