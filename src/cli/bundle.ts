import path from 'node:path';
import type { Command } from 'commander';
import { watchInterrupt } from './interrupted.ts';
import { print, printJson } from './output.ts';
import { signOption } from './sign-option.ts';

interface BundleOptions {
  readonly out: string;
  readonly dirty: boolean;
  readonly dependencies: boolean;
  readonly sign: readonly string[];
  readonly app?: string;
  readonly json: boolean;
}

export function addBundle(program: Command): void {
  program
    .command('bundle')
    .description('write a release into one file, for "deploy --bundle" on another machine')
    .argument('[ref]', 'branch, tag or commit, or the id of a release', 'HEAD')
    .requiredOption('--out <file>', 'the file to write')
    .option('--dirty', 'the tree as it stands instead of a commit', false)
    .option('--no-dependencies', 'without installed dependencies, which are then installed by the lockfile')
    .addOption(signOption('sign the release with this private key; may be given again'))
    .option(
      '--app <name>',
      'the folder of the app that it is signed for, where that has another name than this one',
    )
    .option('--json', 'one JSON object', false)
    .action(async (ref: string, { out, dirty, dependencies, sign, app, json }: BundleOptions) => {
      const { bundleRelease } = await import('../deploy/bundle-release.ts');
      const bundle = await bundleRelease({
        appDirectory: process.cwd(),
        ref,
        isDirty: dirty,
        out: path.resolve(out),
        hasDependencies: dependencies,
        keyFiles: sign,
        app,
        signal: watchInterrupt(),
      });
      if (json) printJson(bundle);
      else print(`release ${bundle.release}, ${bundle.sizeBytes} bytes, ${bundle.digest}`);
    });
}
