import { Option } from 'commander';
import { findRegistry } from '../plugin/registry/find-registry.ts';
import { toRegistry, type Registry } from '../plugin/registry/registry.ts';

/** `--registry <dir>`, of every verb of plugins. */
export function registryOption(): Option {
  return new Option(
    '--registry <dir>',
    'its folder; "plugins.registry" of the configuration, else .midflight/plugins, where it is not said',
  );
}

export async function findNamedRegistry(named: string | undefined): Promise<Registry> {
  return toRegistry(await findRegistry(process.cwd(), named));
}
