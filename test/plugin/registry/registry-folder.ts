/** An app with a registry of plugins in a temporary directory. */

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { openPlugin, type OpenOptions, type Plugin } from '../../../src/plugin.ts';
import { publishPlugin, type Published, type PublishRequest } from '../../../src/plugin/registry/publish.ts';
import { toRegistry, type Registry } from '../../../src/plugin/registry/registry.ts';
import { generateKey } from '../../../src/release/signing-key.ts';
import { addKey } from '../../../src/release/trust.ts';
import { repository, type Files } from '../../support/app.ts';

export interface RegistryFolder {
  readonly directory: string;
  readonly registry: Registry;
  write(files: Files): void;
  /** Publishes a file or folder of the directory. */
  publish(source: string, options?: Partial<PublishRequest>): Promise<Published>;
  /** Writes `<name>.<extension>` with that version and code, and publishes it. */
  publishVersion(
    file: string,
    version: string,
    code: string,
    options?: Partial<PublishRequest> & { readonly requires?: Readonly<Record<string, string>> },
  ): Promise<Published>;
  /** Opens by name; closed when the test ends. */
  open(name: string, options?: OpenOptions): Promise<Plugin>;
  /** Makes a key that is trusted; returns its file. */
  trust(): string;
}

/** Makes one; it is gone when the test ends. */
export function createRegistryFolder(t: TestContext): RegistryFolder {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-registry-'));
  const opened: Plugin[] = [];
  const registry = toRegistry(path.join(directory, '.midflight', 'plugins'));
  t.after(async () => {
    for (const plugin of opened) await plugin.close();
    rmSync(directory, { recursive: true, force: true });
  });
  mkdirSync(path.join(directory, 'node_modules'));
  symlinkSync(
    path.join(repository, 'node_modules/typescript'),
    path.join(directory, 'node_modules/typescript'),
  );
  const write = (files: Files): void => {
    for (const [name, text] of Object.entries(files)) {
      const file = path.join(directory, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
  };
  const publish: RegistryFolder['publish'] = async (source, options = {}) => {
    const from = source.startsWith('npm:') ? source : path.join(directory, source);
    return publishPlugin({ registry, source: from, keyFiles: [], isUsed: true, ...options });
  };
  return {
    directory,
    registry,
    write,
    publish,
    async publishVersion(file, version, code, { requires = {}, ...options } = {}) {
      const definition = JSON.stringify({ version, requires });
      const head = `import { definePlugin } from 'midflight/plugin';\nexport default definePlugin(${definition});\n`;
      write({ [file]: head + code });
      return publish(file, options);
    },
    async open(name, options = {}) {
      const plugin = await openPlugin(name, { registry: registry.directory, watch: false, ...options });
      opened.push(plugin);
      return plugin;
    },
    trust() {
      const file = path.join(directory, `key-${Math.random().toString(36).slice(2)}`);
      generateKey(file);
      mkdirSync(path.join(directory, '.midflight'), { recursive: true, mode: 0o700 });
      addKey(path.join(directory, '.midflight', 'trust'), `${file}.pub`);
      return file;
    },
  };
}

/** A plugin that says which version it is. */
export const hello = (word: string): string =>
  `export const hello = (name: string): string => \`${word} \${name}\`;\n`;
