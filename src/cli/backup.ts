import type { Command } from 'commander';
import path from 'node:path';
import { toHome } from '../release/home.ts';
import { print, printJson } from './output.ts';

export function addBackup(program: Command): void {
  program
    .command('backup')
    .description('copies the record into a file, also while the app runs')
    .argument('<file>', 'one that is not there yet')
    .option('--json', 'one JSON object', false)
    .action(async (file: string, { json }: { readonly json: boolean }) => {
      const { backUp } = await import('../deploy/back-up.ts');
      const backup = backUp(toHome(process.cwd()), path.resolve(file));
      if (json) printJson(backup);
      else print(`${backup.file}  ${backup.sizeBytes} bytes`);
    });
}
