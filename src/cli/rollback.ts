import type { Command } from 'commander';
import { followDeploy } from './follow-deploy.ts';

export function addRollback(program: Command): void {
  program
    .command('rollback')
    .description('back to the release that served before, or to the one named')
    .argument('[release]', 'its id, from "midflight history"')
    .option('--json', 'one JSON object at the end', false)
    .action(async (release: string | undefined, { json }: { readonly json: boolean }) => {
      await followDeploy('/rollback', { release: release ?? null }, json);
    });
}
