import type { Command } from 'commander';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { findEntry } from '../release/entry.ts';

export function addRun(program: Command): void {
  program
    .command('run')
    .description('run an entry under the runtime in this process, and nothing else')
    .argument('<entry>', 'the file to run')
    .argument('[args...]', 'what the app gets as its own arguments')
    .passThroughOptions()
    .action(async (file: string, args: string[]) => {
      const root = process.cwd();
      const { entry } = await findEntry(root, path.relative(root, path.resolve(file)));
      process.argv = [process.execPath, path.join(root, entry), ...args];
      try {
        const { runEntry } = await import('../deploy/run-entry.ts');
        await runEntry({ root, entry });
      } catch (error) {
        const thrown = toThrown(error);
        if (thrown instanceof MidflightError) throw thrown;
        // The app's own: said as Node would say it.
        console.error(thrown);
        process.exit(1);
      }
    });
}

/** What the app threw, where it was that. */
function toThrown(error: unknown): unknown {
  const isOfApp = error instanceof MidflightError && error.code === 'ERR_MIDFLIGHT_EVALUATION_FAILED';
  return isOfApp ? error.cause : error;
}
