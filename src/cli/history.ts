import { InvalidArgumentError, type Command } from 'commander';
import { existsSync } from 'node:fs';
import { parseEvidence, toSummarized } from '../deploy/evidence.ts';
import { openHistory, type DeployRecord } from '../deploy/history.ts';
import { MidflightError } from '../errors.ts';
import { toHome } from '../release/home.ts';
import { printDeploy } from './deploy-record.ts';
import { paint, print, printJson } from './output.ts';

export function addHistory(program: Command): void {
  program
    .command('history')
    .description('what was deployed and what came of it, newest first; or one deploy, with the evidence')
    .argument('[id]', 'number of a deploy', toCount)
    .option('--limit <count>', 'how many', toCount, 20)
    .option('--json', 'one JSON array, or one object', false)
    .action((id: number | undefined, { json, limit }: { readonly json: boolean; readonly limit: number }) => {
      const { database } = toHome(process.cwd());
      // Read from the record itself, so that it works while nothing runs.
      const history = existsSync(database) ? openHistory(database) : null;
      try {
        if (id === undefined) printList(history?.list(limit).map(toSummarized) ?? [], json);
        else printOne(history?.find(id) ?? null, id, json);
      } finally {
        history?.close();
      }
    });
}

function printList(deploys: readonly DeployRecord[], isJson: boolean): void {
  if (isJson) printJson(deploys);
  else if (deploys.length === 0) print('nothing was deployed yet');
  else for (const deploy of deploys) print(toLine(deploy));
}

function printOne(deploy: DeployRecord | null, id: number, isJson: boolean): void {
  if (deploy === null) throw new MidflightError('ERR_MIDFLIGHT_DEPLOY_UNKNOWN', [id]);
  if (isJson) printJson({ ...deploy, evidence: parseEvidence(deploy.evidence) ?? deploy.evidence });
  else printDeploy(deploy);
}

function toCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new InvalidArgumentError('It must be a whole number above 0.');
}

function toLine({ id, action, startedAt, release, path, result, reasons, evidence }: DeployRecord): string {
  const isGood = result === 'committed' || result === 'unchanged';
  const why =
    evidence?.split('\n')[0]?.replace(/^MidflightError: /, '') ??
    reasons.map(({ message }) => message).join('; ');
  return `${String(id).padStart(4)}  ${startedAt.slice(0, 19).replace('T', ' ')}  ${(action ?? '').padEnd(8)}  ${paint(isGood ? 'green' : 'red', result.padEnd(11))} ${path.padEnd(8)} ${release ?? '-'}  ${paint('dim', why)}`;
}
