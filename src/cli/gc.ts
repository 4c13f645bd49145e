import type { Command } from 'commander';
import { toHome } from '../release/home.ts';
import type { SweepReport } from '../deploy/sweep.ts';
import { paint, print, printJson } from './output.ts';

export function addGc(program: Command): void {
  program
    .command('gc')
    .description('removes releases, modules and dependencies that nothing needs any more')
    .option('--dry-run', 'only say what would go', false)
    .option('--json', 'one JSON object', false)
    .action(async ({ dryRun, json }: { readonly dryRun: boolean; readonly json: boolean }) => {
      const { collect } = await import('../console/collect.ts');
      const report = await collect(toHome(process.cwd()), { isDryRun: dryRun });
      if (json) printJson(report);
      else printReport(report);
    });
}

function printReport({ isDryRun, kept, removed, freedBytes, deferred }: SweepReport): void {
  for (const { release, roots } of kept) print(`${release}  kept: ${roots.join(', ')}`);
  for (const release of removed.releases) print(`${release}  ${isDryRun ? 'would go' : 'removed'}`);
  const mebibytes = (freedBytes / 1_048_576).toFixed(1);
  const { store, cache, dependencies } = removed;
  print(
    `${isDryRun ? 'would free' : 'freed'} ${mebibytes} MiB: ${removed.releases.length} releases, ${store} files of the store, ${cache} of the cache, ${dependencies} sets of dependencies`,
  );
  if (deferred !== null) print(paint('yellow', `some of it later: ${deferred}`));
}
