/** A folder of plugins that a test writes and changes. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import {
  openPlugin,
  type OpenOptions,
  type Plugin,
  type ThreadOpenOptions,
  type ThreadPlugin,
} from '../../src/plugin.ts';

export interface PluginFolder {
  readonly directory: string;
  write(files: Readonly<Record<string, string>>): void;
  remove(name: string): void;
  /** Opens the plugin of that name; it is closed when the test ends. */
  open(name: string, options?: OpenOptions): Promise<Plugin>;
  /** The same, in a thread. */
  openThread(name: string, options?: Omit<ThreadOpenOptions, 'isolation'>): Promise<ThreadPlugin>;
}

/** Makes one; it is gone when the test ends. */
export function createPluginFolder(
  t: TestContext,
  files: Readonly<Record<string, string>> = {},
): PluginFolder {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-plugins-'));
  const opened: { close(): Promise<void> }[] = [];
  t.after(async () => {
    for (const plugin of opened) await plugin.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const folder: PluginFolder = {
    directory,
    write(written) {
      for (const [name, text] of Object.entries(written)) {
        const file = path.join(directory, name);
        mkdirSync(path.dirname(file), { recursive: true });
        writeFileSync(file, text);
      }
    },
    remove: (name) => rmSync(path.join(directory, name), { recursive: true }),
    async open(name, options = {}) {
      const plugin = await openPlugin(path.join(directory, name), { watch: false, ...options });
      opened.push(plugin);
      return plugin;
    },
    async openThread(name, options = {}) {
      const own: ThreadOpenOptions = { watch: false, ...options, isolation: 'worker' };
      const plugin = await openPlugin(path.join(directory, name), own);
      opened.push(plugin);
      return plugin;
    },
  };
  folder.write(files);
  return folder;
}
