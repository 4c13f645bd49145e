import type { Command } from 'commander';
import type { Trial } from '../deploy/bisect-search.ts';
import { paint, print, printJson } from './output.ts';

interface Flags {
  readonly good?: string;
  readonly bad?: string;
  readonly run?: string;
  readonly json: boolean;
}

export function addBisect(program: Command): void {
  program
    .command('bisect')
    .description('find the first bad release among those that are kept; what serves is let alone')
    .option('--good <release>', 'one that is good; the oldest where it is not said')
    .option('--bad <release>', 'one that is bad; the newest where it is not said')
    .option('--run <command>', 'a command that ends with 0 for a good one, instead of the health check')
    .option('--json', 'one JSON object at the end', false)
    .action(async ({ good, bad, run, json }: Flags) => {
      const { bisectReleases } = await import('../deploy/bisect.ts');
      const onTrial = (trial: Trial): void => (json ? undefined : printTrial(trial));
      const report = await bisectReleases({
        appDirectory: process.cwd(),
        good: good ?? null,
        bad: bad ?? null,
        run: run ?? null,
        onTrial,
      });
      if (json) printJson(report);
      else print(report.message);
      if (report.result !== 'found') process.exitCode = 3;
    });
}

function printTrial({ release, verdict, message }: Trial): void {
  const style = verdict === 'good' ? 'green' : verdict === 'bad' ? 'red' : 'yellow';
  print(`${paint(style, verdict.padEnd(10))} ${release}  ${paint('dim', message.split('\n')[0] ?? '')}`);
}
