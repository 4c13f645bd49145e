import { Option, type Command } from 'commander';
import { watchInterrupt } from './interrupted.ts';
import { paint, print, printJson } from './output.ts';
import { toMarkdown } from './plan-markdown.ts';
import { toPlanText } from './plan-text.ts';

interface PlanOptions {
  readonly dirty: boolean;
  readonly path: 'auto' | 'swap' | 'handoff' | 'restart';
  readonly all: boolean;
  readonly json: boolean;
  readonly markdown: boolean;
}

export function addPlan(program: Command): void {
  program
    .command('plan')
    .description('what "deploy" would do; nothing is applied')
    .argument('[ref]', 'branch, tag or commit', 'HEAD')
    .option('--dirty', 'the tree as it stands instead of a commit', false)
    .addOption(
      new Option('--path <path>', 'the way in')
        .choices(['auto', 'swap', 'handoff', 'restart'])
        .default('auto'),
    )
    .option('--all', 'every module, also where there are many', false)
    .addOption(new Option('--json', 'one JSON object').default(false).conflicts('markdown'))
    .option('--markdown', 'for a pull request', false)
    .action(async (ref: string, { dirty, path, all, json, markdown }: PlanOptions) => {
      const { planDeploy } = await import('../deploy/plan-deploy.ts');
      const plan = await planDeploy({
        appDirectory: process.cwd(),
        ref,
        isDirty: dirty,
        path,
        signal: watchInterrupt(),
      });
      const apply = ['midflight deploy', ref, ...(dirty ? ['--dirty'] : []), `--path ${path}`]
        .filter((word) => word !== 'HEAD' && word !== '--path auto')
        .join(' ');
      const shown = { apply: `${apply} --plan ${plan.id}`, isAll: all };
      if (json) printJson(plan);
      else if (markdown) print(toMarkdown(plan, shown));
      else print(toPlanText(plan, { ...shown, columns: process.stdout.columns, paint }));
      if (plan.path === 'rejected') process.exitCode = 3;
    });
}
