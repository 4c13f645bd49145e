import { InvalidArgumentError, type Command } from 'commander';
import { availableParallelism } from 'node:os';
import { callControl } from '../console/control-client.ts';
import type { Failure } from '../errors.ts';
import { WORKERS_MAX } from '../protocol/manifest.ts';
import { toHome } from '../release/home.ts';
import { print, printFailure, printJson } from './output.ts';

export function addScale(program: Command): void {
  program
    .command('scale')
    .description('run another count of workers, until told otherwise')
    .argument(
      '<workers>',
      'a count, "auto" for one a processor, or "default" for what the configuration says',
      toCount,
    )
    .option('--json', 'one JSON object', false)
    .action(async (workers: number | 'default', { json }: { readonly json: boolean }) => {
      const body = { workers: workers === 'default' ? null : workers };
      const answer = (await callControl(toHome(process.cwd()), { method: 'POST', path: '/scale', body })) as
        | { readonly workers: number }
        | { readonly error: Failure };
      if ('error' in answer) printFailure(answer.error, json);
      else if (json) printJson(answer);
      else print(`${answer.workers} worker${answer.workers === 1 ? '' : 's'}`);
    });
}

function toCount(text: string): number | 'default' {
  if (text === 'default') return text;
  if (text === 'auto') return availableParallelism();
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= WORKERS_MAX) return count;
  throw new InvalidArgumentError(`It is a whole number from 1 to ${WORKERS_MAX}, "auto" or "default".`);
}
