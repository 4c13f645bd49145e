import type { Command } from 'commander';
import { MidflightError } from '../errors.ts';
import {
  describePlugin,
  listPlugins,
  verifyPlugins,
  type PluginInfo,
  type PluginVerification,
} from '../plugin/registry/list-plugins.ts';
import { requireName, toLabelOf } from '../plugin/registry/registry.ts';
import { paint, print, printJson } from './output.ts';
import { findNamedRegistry, registryOption } from './plugin-registry.ts';

interface Flags {
  readonly registry?: string;
  readonly json: boolean;
}

export function registerPluginReports(plugin: Command): void {
  plugin
    .command('list')
    .description('what is published')
    .addOption(registryOption())
    .option('--json', 'one JSON array', false)
    .action(async ({ registry, json }: Flags) => {
      const plugins = listPlugins(await findNamedRegistry(registry));
      if (json) printJson(plugins);
      else if (plugins.length === 0) print('nothing is published yet');
      else
        for (const { name, version, versions } of plugins)
          print(`${name}  ${paint('green', version ?? 'none in use')}  ${paint('dim', versions.join(' '))}`);
    });
  plugin
    .command('info')
    .description('the versions of a plugin: digest, signatures, exports, what they require')
    .argument('<name>', 'the plugin')
    .addOption(registryOption())
    .option('--json', 'one JSON object', false)
    .action(async (name: string, { registry, json }: Flags) => {
      const info = await describePlugin(await findNamedRegistry(registry), requireName(name));
      if (json) printJson(info);
      else for (const each of info.versions) printVersion(each);
    });
  plugin
    .command('verify')
    .description('compares every byte of what is published with its manifest')
    .argument('[name]', 'the plugin; all if none is said')
    .addOption(registryOption())
    .option('--json', 'one JSON array', false)
    .action(async (name: string | undefined, { registry, json }: Flags) => {
      const found = await verifyPlugins(await findNamedRegistry(registry), name ?? null);
      if (json) printJson(found);
      else for (const each of found) printVerification(each);
      const [bad] = found.filter(({ problems }) => problems.length > 0);
      if (bad === undefined) return;
      const [first] = bad.problems;
      const problem = `${first?.path} is ${first?.kind}`;
      const error = new MidflightError('ERR_MIDFLIGHT_PLUGIN_ALTERED', [toLabelOf(bad), problem]);
      if (!json) throw error;
      process.exitCode = error.exitCode;
    });
}

function printVersion(version: PluginInfo['versions'][number]): void {
  if ('problem' in version) {
    print(`${version.version}  ${paint('red', version.problem)}`);
    return;
  }
  print(`${paint('bold', version.version)}${version.inUse ? paint('green', '  in use') : ''}`);
  print(`  sha256    ${version.digest}`);
  for (const { key, isTrusted } of version.signatures)
    print(`  signed by ${key}${isTrusted ? '' : ' (not trusted here)'}`);
  const required = Object.entries(version.requires).map(([name, range]) => `${name} ${range}`);
  if (required.length > 0) print(`  requires  ${required.join(', ')}`);
  const exported = Object.entries(version.exports).map(([name, { kind }]) => `${name} (${kind})`);
  print(`  exports   ${exported.join(', ') || 'nothing'}`);
}

function printVerification(verification: PluginVerification): void {
  const { problems } = verification;
  print(
    `${toLabelOf(verification)}  ${problems.length === 0 ? paint('green', 'whole') : paint('red', 'altered')}`,
  );
  for (const { kind, path } of problems) print(`  ${kind.padEnd(10)} ${path}`);
}
