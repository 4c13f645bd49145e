/** What the versions of a plugin require: each version has its own open as long as it is there. */

import type { Plugin } from './plugin-api.ts';
import type { RunningVersion } from './running-version.ts';
import type { SharedOptions } from './shared-options.ts';

export class RequiredPlugins {
  readonly #open: SharedOptions['openRequired'];
  readonly #opened = new Map<RunningVersion, readonly Plugin[]>();

  constructor(open: SharedOptions['openRequired']) {
    this.#open = open;
  }

  /** Errors: those of their opening; what was opened until then is closed with the version. */
  async open(running: RunningVersion): Promise<Record<string, Plugin>> {
    const opened: Record<string, Plugin> = {};
    for (const [name, range] of Object.entries(running.requires)) {
      opened[name] = await this.#open(name, { by: `plugin ${running.label}`, range });
      this.#opened.set(running, Object.values(opened));
    }
    return opened;
  }

  async close(running: RunningVersion): Promise<void> {
    const opened = this.#opened.get(running) ?? [];
    this.#opened.delete(running);
    for (const plugin of opened) await plugin.close();
  }
}
