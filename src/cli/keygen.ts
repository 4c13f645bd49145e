import type { Command } from 'commander';
import { generateKey } from '../release/signing-key.ts';
import { print, printJson } from './output.ts';

export function addKeygen(program: Command): void {
  program
    .command('keygen')
    .description('make a key to sign releases with')
    .requiredOption('--out <file>', 'the private key; the public one is <file>.pub')
    .option('--json', 'one JSON object', false)
    .action(({ out, json }: { readonly out: string; readonly json: boolean }) => {
      const id = generateKey(out);
      if (json) printJson({ id, privateKey: out, publicKey: `${out}.pub` });
      else print(`key ${id}\nprivate: ${out}\npublic:  ${out}.pub`);
    });
}
