import type { Command } from 'commander';
import { toHome } from '../release/home.ts';
import { print, printJson } from './output.ts';

export function addPin(program: Command): void {
  program
    .command('pin')
    .description('keeps a release whatever its age')
    .argument('<release>', 'its id, from "midflight history"')
    .option('--remove', 'let it go again', false)
    .option('--json', 'one JSON object', false)
    .action(
      async (release: string, { remove, json }: { readonly remove: boolean; readonly json: boolean }) => {
        const { setPin } = await import('../deploy/pins.ts');
        const pinned = await setPin(toHome(process.cwd()), release, { isPinned: !remove });
        if (json) printJson({ pinned });
        else print(pinned.length === 0 ? 'no release is pinned' : pinned.join('\n'));
      },
    );
}
