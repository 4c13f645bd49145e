import { InvalidArgumentError, type Command } from 'commander';
import { existsSync } from 'node:fs';
import { openHistory } from '../deploy/history.ts';
import { toHome } from '../release/home.ts';
import { paint, print, printJson } from './output.ts';

export function addHistory(program: Command): void {
  program
    .command('history')
    .description('what was deployed and what came of it, newest first')
    .option('--limit <count>', 'how many', toCount, 20)
    .option('--json', 'one JSON array', false)
    .action(({ json, limit }: { readonly json: boolean; readonly limit: number }) => {
      const { database } = toHome(process.cwd());
      // Read from the record itself, so that it works while nothing runs.
      const history = existsSync(database) ? openHistory(database) : null;
      const deploys = history?.list(limit) ?? [];
      history?.close();
      if (json) printJson(deploys);
      else if (deploys.length === 0) print('nothing was deployed yet');
      else for (const deploy of deploys) print(toLine(deploy));
    });
}

function toCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new InvalidArgumentError('It must be a whole number above 0.');
}

function toLine(deploy: ReturnType<ReturnType<typeof openHistory>['list']>[number]): string {
  const { startedAt, release, path, result, reasons, evidence } = deploy;
  const isGood = result === 'committed' || result === 'unchanged';
  const why =
    evidence?.split('\n')[0]?.replace(/^MidflightError: /, '') ??
    reasons.map(({ message }) => message).join('; ');
  return `${startedAt.slice(0, 19).replace('T', ' ')}  ${paint(isGood ? 'green' : 'red', result.padEnd(11))} ${path.padEnd(8)} ${release ?? '-'}  ${paint('dim', why)}`;
}
