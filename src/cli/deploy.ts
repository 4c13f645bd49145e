import { Option, type Command } from 'commander';
import { followDeploy } from './follow-deploy.ts';

interface DeployOptions {
  readonly dirty: boolean;
  readonly detach: boolean;
  readonly json: boolean;
  readonly path: 'auto' | 'swap' | 'handoff' | 'restart';
}

export function addDeploy(program: Command): void {
  program
    .command('deploy')
    .description('make a release of a commit and bring it into the running service')
    .argument('[ref]', 'branch, tag or commit', 'HEAD')
    .option('--dirty', 'the tree as it stands instead of a commit', false)
    .addOption(
      new Option('--path <path>', 'the way in')
        .choices(['auto', 'swap', 'handoff', 'restart'])
        .default('auto'),
    )
    .option('--detach', 'return at commit, before probation has passed', false)
    .option('--json', 'one JSON object at the end', false)
    .action(async (ref: string, { dirty, detach, path, json }: DeployOptions) => {
      await followDeploy('/deploy', { ref, isDirty: dirty, path, detach }, json);
    });
}
