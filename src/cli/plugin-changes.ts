import type { Command } from 'commander';
import { noteChange } from '../deploy/note-change.ts';
import type { Published, PublishStep } from '../plugin/registry/publish.ts';
import { parseVersionName, requireName, toLabelOf, type Registry } from '../plugin/registry/registry.ts';
import type { Used } from '../plugin/registry/use-version.ts';
import { paint, print, printJson } from './output.ts';
import { findNamedRegistry, registryOption } from './plugin-registry.ts';
import { signOption } from './sign-option.ts';

interface Flags {
  readonly registry?: string;
  readonly json: boolean;
}

interface PublishFlags extends Flags {
  readonly name?: string;
  readonly version?: string;
  readonly sign: readonly string[];
  readonly use: boolean;
}

export function registerPluginChanges(plugin: Command): void {
  plugin
    .command('publish')
    .description('publish a version, and put it in use')
    .argument('<source>', 'a file, a folder, or npm:<what "npm pack" takes>')
    .option('--name <name>', 'its name, where the plugin does not say one')
    .option('--version <version>', 'its version, where the plugin does not say one')
    .addOption(signOption('sign with this private key; may be given again'))
    .option('--no-use', 'publish it only')
    .addOption(registryOption())
    .option('--json', 'one JSON object', false)
    .action(async (source: string, flags: PublishFlags) => {
      const registry = await findNamedRegistry(flags.registry);
      const { publishPlugin } = await import('../plugin/registry/publish.ts');
      const onStep = (step: PublishStep): void => (flags.json ? undefined : printStep(step));
      const { name, version, sign: keyFiles, use: isUsed } = flags;
      const published = await change('publish', registry, source, async () =>
        publishPlugin({ registry, source, name, version, keyFiles, isUsed, onStep }),
      );
      if (flags.json) printJson(published);
      else printPublished(published);
    });
  plugin
    .command('use')
    .description('put a published version in use; services that have it open follow')
    .argument('<version>', 'a name and a version: greet@1.2.0')
    .addOption(registryOption())
    .option('--json', 'one JSON object', false)
    .action(async (named: string, flags: Flags) => {
      const registry = await findNamedRegistry(flags.registry);
      const { usePlugin } = await import('../plugin/registry/use-version.ts');
      const used = await change('use', registry, named, async () =>
        usePlugin(registry, parseVersionName(named)),
      );
      printUsed(used, flags);
    });
  plugin
    .command('rollback')
    .description('put the version in use that was before')
    .argument('<name>', 'the plugin')
    .addOption(registryOption())
    .option('--json', 'one JSON object', false)
    .action(async (name: string, flags: Flags) => {
      const registry = await findNamedRegistry(flags.registry);
      const { rollBackPlugin } = await import('../plugin/registry/use-version.ts');
      const used = await change('rollback', registry, name, async () =>
        rollBackPlugin(registry, requireName(name)),
      );
      printUsed(used, flags);
    });
  plugin
    .command('unpublish')
    .description('take a published version away')
    .argument('<version>', 'a name and a version: greet@1.2.0')
    .option('--force', 'also one that is in use, or that another plugin needs', false)
    .addOption(registryOption())
    .option('--json', 'one JSON object', false)
    .action(async (named: string, flags: Flags & { readonly force: boolean }) => {
      const registry = await findNamedRegistry(flags.registry);
      const { unpublishPlugin } = await import('../plugin/registry/unpublish.ts');
      const gone = await change('unpublish', registry, named, async () =>
        unpublishPlugin(registry, parseVersionName(named), { isForced: flags.force }),
      );
      if (flags.json) printJson(gone);
      else print(`${toLabelOf(gone)} is gone; in use: ${gone.inUse ?? 'none'}`);
    });
}

async function change<Result extends object>(
  verb: string,
  { directory }: Registry,
  subject: string,
  act: () => Promise<Result>,
): Promise<Result> {
  return noteChange({ action: `plugin ${verb}`, registry: directory, subject }, act);
}

const steps: Readonly<Record<PublishStep, string | null>> = {
  fetch: 'npm packs it',
  stage: null,
  compile: null,
  evaluate: null,
  compare: 'comparing it with the version before',
  place: null,
  use: null,
};

function printStep(step: PublishStep): void {
  const text = steps[step];
  if (text !== null && process.stderr.isTTY) process.stderr.write(`${text}\n`);
}

function printPublished(published: Published): void {
  const { result, digest, inUse, compared, signers } = published;
  print(`${toLabelOf(published)} ${paint('green', result)}${inUse ? ', in use' : ''}\nsha256  ${digest}`);
  if (signers.length > 0) print(`signed by ${signers.join(', ')}`);
  if (compared === null) return;
  const why = compared.reason === null ? '' : ` (no types: ${compared.reason})`;
  print(`compatible with ${compared.version}, by ${compared.by}${why}`);
}

function printUsed(used: Used, { json }: Flags): void {
  if (json) printJson(used);
  else print(`${toLabelOf(used)} is in use; before: ${used.previous ?? 'none'}`);
}
