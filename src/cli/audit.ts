import type { Command } from 'commander';
import type { AuditLine } from '../deploy/audit-chain.ts';
import { readAudit } from '../deploy/audit-log.ts';
import { MidflightError } from '../errors.ts';
import { toHome } from '../release/home.ts';
import { paint, print, printJson, reportFailure } from './output.ts';

export function addAudit(program: Command): void {
  program
    .command('audit')
    .description('who did what to the releases of this app, oldest first')
    .option('--verify', 'only check that no line was changed, taken out or put in', false)
    .option('--json', 'one JSON object', false)
    .action(({ verify, json }: { readonly verify: boolean; readonly json: boolean }) => {
      const { auditLog } = toHome(process.cwd());
      const { lines, broken, torn } = readAudit(auditLog);
      const last = lines.at(-1)?.hash ?? null;
      if (json) printJson({ lines: verify ? lines.length : lines, last, torn, broken });
      else {
        if (!verify) for (const line of lines) print(toText(line));
        for (const { line, problem } of torn)
          print(paint('yellow', `line ${line}: ${problem}, as a crash leaves it`));
        if (broken === null) print(`${lines.length} lines, unbroken; the last has the hash ${last ?? '-'}`);
      }
      if (broken === null) return;
      const { line, problem } = broken;
      const error = new MidflightError('ERR_MIDFLIGHT_AUDIT_BROKEN', [auditLog, line, problem]);
      if (json) process.exitCode = error.exitCode;
      else reportFailure(error, false);
    });
}

function toText({ at, actor, action, release, result, detail }: AuditLine): string {
  const who = `${actor.user ?? actor.uid ?? '?'} (${actor.by}${actor.pid === null ? '' : ` ${actor.pid}`})`;
  return `${at.slice(0, 19).replace('T', ' ')}  ${who}  ${action} ${release ?? ''} ${result}  ${paint('dim', detail ?? '')}`.trimEnd();
}
