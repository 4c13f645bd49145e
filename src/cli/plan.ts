import type { Command } from 'commander';
import type { Plan } from '../plan/plan.ts';
import { paint, print, printJson } from './output.ts';

export function addPlan(program: Command): void {
  program
    .command('plan')
    .description('what "deploy" would do; nothing is applied')
    .argument('[ref]', 'branch, tag or commit', 'HEAD')
    .option('--dirty', 'the tree as it stands instead of a commit', false)
    .option('--json', 'one JSON object', false)
    .action(async (ref: string, { dirty, json }: { readonly dirty: boolean; readonly json: boolean }) => {
      const { planDeploy } = await import('../deploy/plan-deploy.ts');
      const plan = await planDeploy({ appDirectory: process.cwd(), ref, isDirty: dirty });
      if (json) printJson(plan);
      else printPlan(plan);
      if (plan.path === 'rejected') process.exitCode = 3;
    });
}

function printPlan({ path, reasons, modules, hazards, steps }: Plan): void {
  print(`${paint('bold', 'path')}  ${paint(path === 'rejected' ? 'red' : 'green', path)}`);
  for (const { code, message } of reasons) print(`  ${paint('dim', code)} ${message}`);
  if (modules.length > 0) print(paint('bold', 'modules'));
  for (const { path: file, change, because, isInPlace, exportsAdded, exportsRemoved } of modules) {
    const via = because.length > 0 ? paint('dim', ` because of ${because.join(' ← ')}`) : '';
    const gained = exportsAdded.length > 0 ? ` +${exportsAdded.join(' +')}` : '';
    const lost = exportsRemoved.length > 0 ? ` -${exportsRemoved.join(' -')}` : '';
    const place = isInPlace ? paint('dim', ', replaced in place') : '';
    print(`  ${change.padEnd(8)} ${file}${gained}${lost}${via}${place}`);
  }
  if (hazards.length > 0) print(paint('bold', 'hazards'));
  for (const { path: file, line, kind, detail } of hazards)
    print(`  ${paint('yellow', kind)} ${file}:${line} ${detail}`);
  if (steps.length > 0) print(paint('bold', 'steps'));
  for (const { name, undo } of steps) print(`  ${name} ${paint('dim', `(undo: ${undo})`)}`);
}
