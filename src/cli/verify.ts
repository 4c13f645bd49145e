import type { Command } from 'commander';
import { MidflightError } from '../errors.ts';
import type { FileProblem, Verification } from '../release/verify.ts';
import { toHome } from '../release/home.ts';
import { paint, print, printJson } from './output.ts';

export function addVerify(program: Command): void {
  program
    .command('verify')
    .description('compares every byte of a release with its manifest')
    .argument('[release]', 'its id, from "midflight history"; all that are kept if none is said')
    .option('--json', 'one JSON array', false)
    .action(async (release: string | undefined, { json }: { readonly json: boolean }) => {
      const { verifyReleases } = await import('../deploy/releases.ts');
      const verifications = await verifyReleases(toHome(process.cwd()), release ?? null);
      if (json) printJson(verifications);
      else for (const verification of verifications) printVerification(verification);
      const bad = verifications.filter(({ problems }) => problems.length > 0);
      if (bad.length === 0) return;
      const error = new MidflightError('ERR_MIDFLIGHT_RELEASE_ALTERED', [
        bad.map((verification) => verification.release).join(', '),
        toText(bad[0]?.problems[0]),
      ]);
      if (!json) throw error;
      process.exitCode = error.exitCode;
    });
}

function toText(problem: FileProblem | undefined): string {
  return problem === undefined ? '' : `${problem.kind} ${problem.path}`;
}

function printVerification({ release, problems, fileCount }: Verification): void {
  const result = problems.length === 0 ? paint('green', 'whole') : paint('red', 'altered');
  print(`${release}  ${result}  ${paint('dim', `${fileCount} files`)}`);
  for (const { kind, path } of problems) print(`  ${kind.padEnd(10)} ${path}`);
}
