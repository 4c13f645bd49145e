import type { Command } from 'commander';
import { followDeploy } from './follow-deploy.ts';
import { signOption } from './sign-option.ts';

interface RollbackOptions {
  readonly sign: readonly string[];
  readonly json: boolean;
}

export function addRollback(program: Command): void {
  program
    .command('rollback')
    .description('back to the release that served before, or to the one named')
    .argument('[release]', 'its id, from "midflight history"')
    .addOption(signOption('sign with this private key that it may serve again; may be given again'))
    .option('--json', 'one JSON object at the end', false)
    .action(async (release: string | undefined, options: RollbackOptions) => {
      await followDeploy({ path: '/rollback', body: { release: release ?? null } }, options);
    });
}
