import { Argument, type Command } from 'commander';
import { keepTrust, trustActions, type TrustAction } from '../deploy/keep-trust.ts';
import { toHome } from '../release/home.ts';
import { paint, print, printJson } from './output.ts';

export function addTrust(program: Command): void {
  program
    .command('trust')
    .description('whose signatures a release needs here')
    .addArgument(new Argument('<action>', 'what to do').choices(trustActions))
    .argument('[subject]', 'a .pub file; or, to remove a key, its id; or how many keys have to sign')
    .option('--json', 'one JSON object', false)
    .action((action: TrustAction, subject: string | undefined, { json }: { readonly json: boolean }) => {
      const report = keepTrust(toHome(process.cwd()), action, subject);
      if (json) {
        printJson(report);
        return;
      }
      const { keys, threshold, unsigned } = report;
      if (keys.length === 0) print('no key is trusted, so nothing needs to be signed');
      else print(`${threshold} of ${keys.length} has to sign:\n${keys.join('\n')}`);
      if (unsigned === null) return;
      print(
        paint(
          'yellow',
          `release ${unsigned} serves and is not signed so, and would not start again: midflight sign ${unsigned} --sign <key>`,
        ),
      );
    });
}
