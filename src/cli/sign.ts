import type { Command } from 'commander';
import { signKept } from '../deploy/keep-trust.ts';
import { MidflightError } from '../errors.ts';
import { toHome } from '../release/home.ts';
import { print, printJson } from './output.ts';
import { signOption } from './sign-option.ts';

interface SignOptions {
  readonly sign: readonly string[];
  readonly json: boolean;
}

export function addSign(program: Command): void {
  program
    .command('sign')
    .description('sign a release that is kept here')
    .argument('[release]', 'its id, from "midflight history"; the newest where it is not said')
    .addOption(signOption('sign with this private key; may be given again'))
    .option('--json', 'one JSON object', false)
    .action(async (named: string | undefined, { sign, json }: SignOptions) => {
      if (sign.length === 0)
        throw new MidflightError('ERR_MIDFLIGHT_USAGE', ['What signs is not said: --sign <key>']);
      const signed = await signKept(toHome(process.cwd()), named, { keyFiles: sign });
      if (json) printJson(signed);
      else
        print(`release ${signed.release}\nsha256  ${signed.digest}\nsigned by ${signed.signers.join(', ')}`);
    });
}
