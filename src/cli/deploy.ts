import path from 'node:path';
import { Option, type Command } from 'commander';
import { MidflightError } from '../errors.ts';
import { followDeploy } from './follow-deploy.ts';
import { signOption } from './sign-option.ts';

interface DeployOptions {
  readonly dirty: boolean;
  readonly bundle?: string;
  readonly detach: boolean;
  readonly wait?: string | true;
  readonly watch: boolean;
  readonly json: boolean;
  readonly sign: readonly string[];
  readonly path: 'auto' | 'swap' | 'handoff' | 'restart';
  readonly plan?: string;
}

export function addDeploy(program: Command): void {
  program
    .command('deploy')
    .description('make a release of a commit and bring it into the running service')
    .argument('[ref]', 'branch, tag or commit', 'HEAD')
    .option('--dirty', 'the tree as it stands instead of a commit', false)
    .option('--bundle <file>', 'the release in a file that "midflight bundle" has written')
    .addOption(
      new Option('--path <path>', 'the way in')
        .choices(['auto', 'swap', 'handoff', 'restart'])
        .default('auto'),
    )
    .option('--plan <id>', 'only if what is to be done is still what "plan" has shown')
    .option('--detach', 'return at commit, before probation has passed', false)
    .option('--wait [seconds]', 'wait for the end of another deploy, up to an hour')
    .addOption(signOption('sign the release with this private key, which stays here; may be given again'))
    .addOption(
      new Option('--watch', 'follow the deploy that is under way')
        .default(false)
        .conflicts(['dirty', 'bundle', 'detach', 'wait', 'path', 'plan', 'sign']),
    )
    .option('--json', 'one JSON object at the end', false)
    .action(async (ref: string, options: DeployOptions, { args }: Command) => {
      const { dirty, bundle, detach, path: way, plan, wait, watch } = options;
      // A supervisor of another make knows neither plans by id nor bundles.
      const shown = plan === undefined ? {} : { plan };
      const file = bundle === undefined ? {} : { bundle: path.resolve(bundle) };
      const body = { ref, isDirty: dirty, path: way, detach, waitMs: toWaitMs(wait), ...shown, ...file };
      if (watch && args.length > 0)
        throw new MidflightError('ERR_MIDFLIGHT_USAGE', ['--watch begins nothing; leave the ref away']);
      await followDeploy(watch ? { path: '/follow', body: null } : { path: '/deploy', body }, options);
    });
}

const WAIT_SECONDS_MAX = 3_600;

function toWaitMs(wait: string | true | undefined): number {
  if (wait === undefined) return 0;
  const seconds = wait === true ? WAIT_SECONDS_MAX : Number(wait);
  if (seconds >= 0 && seconds <= WAIT_SECONDS_MAX) return Math.round(seconds * 1_000);
  throw new MidflightError('ERR_MIDFLIGHT_USAGE', [
    `--wait is given "${wait}", and takes a number of seconds up to ${WAIT_SECONDS_MAX}; write --wait=60, or the ref before --wait`,
  ]);
}
