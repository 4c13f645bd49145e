import type { Command } from 'commander';
import { leaveInitToShell } from '../supervisor/init-process.ts';
import { logJson, logLine, outliveReaders } from './output.ts';
import { signOption } from './sign-option.ts';

interface StartOptions {
  readonly sign: readonly string[];
  readonly dirty: boolean;
  readonly json: boolean;
}

export function addStart(program: Command): void {
  program
    .command('start')
    .description(
      'supervise the current release in the foreground; makes one from the source when there is none',
    )
    .argument('[ref]', 'the commit to make the first release of, and of SIGHUP', 'HEAD')
    .option('--dirty', 'the tree as it stands instead of a commit', false)
    .addOption(signOption('sign what is built here with this private key; may be given again'))
    .option('--json', 'its own lines as JSON objects', false)
    .action(async (ref: string, { dirty, sign, json }: StartOptions) => {
      const log = json ? logJson : logLine;
      leaveInitToShell(log);
      outliveReaders();
      const { startKeeper } = await import('../console/start-keeper.ts');
      const exitCode = await startKeeper({
        appDirectory: process.cwd(),
        request: { ref, isDirty: dirty, path: 'auto', detach: false, waitMs: 0 },
        signKeyFiles: sign,
        isJson: json,
        log,
      });
      process.exit(exitCode);
    });
}
