/** `midflight plugin <verb>`: the verbs of the registry. */

import type { Command } from 'commander';
import { registerPluginChanges } from './plugin-changes.ts';
import { registerPluginReports } from './plugin-reports.ts';

export function addPlugin(program: Command): void {
  const plugin = program.command('plugin').description('publish plugins, and say which version is in use');
  plugin.enablePositionalOptions();
  registerPluginChanges(plugin);
  registerPluginReports(plugin);
}
