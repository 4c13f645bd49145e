import type { Command } from 'commander';
import { toHome } from '../release/home.ts';
import type { Check } from '../console/doctor.ts';
import { paint, print, printJson, type Style } from './output.ts';

const styles: Readonly<Record<Check['result'], Style>> = { ok: 'green', warn: 'yellow', fail: 'red' };

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('whether this machine and this app are fit')
    .option('--json', 'one JSON object', false)
    .action(async ({ json }: { readonly json: boolean }) => {
      const { examine } = await import('../console/doctor.ts');
      const checks = await examine(toHome(process.cwd()));
      const isFit = checks.every(({ result }) => result !== 'fail');
      if (json) printJson({ isFit, checks });
      else for (const check of checks) printCheck(check);
      process.exitCode = isFit ? 0 : 1;
    });
}

function printCheck({ name, result, message, fix }: Check): void {
  print(`${paint(styles[result], result.padEnd(4))}  ${name}  ${message}`);
  if (fix !== null) print(`      ${fix}`);
}
