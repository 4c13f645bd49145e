import type { Command } from 'commander';
import { initApp } from '../deploy/init-app.ts';
import { print, printJson } from './output.ts';

export function addInit(program: Command): void {
  program
    .command('init')
    .description('write a configuration to start from')
    .option('--json', 'one JSON object', false)
    .action(async ({ json }: { readonly json: boolean }) => {
      const written = await initApp(process.cwd());
      if (json) printJson({ written });
      else print(`wrote ${written.join(', ')}; now: midflight start`);
    });
}
