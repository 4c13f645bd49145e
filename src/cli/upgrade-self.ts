import type { Command } from 'commander';
import { setTimeout as sleep } from 'node:timers/promises';
import { callControl } from '../console/control-client.ts';
import type { UpgradeAnswer } from '../console/upgrade-self.ts';
import { MidflightError, type Failure } from '../errors.ts';
import type { UpgradeOutcome } from '../protocol/keeper-messages.ts';
import { toHome, type Home } from '../release/home.ts';
import { print, printFailure, printJson } from './output.ts';

/** The keeper has judged a new supervisor before that, and started the one before again where it failed. */
const OUTCOME_TIMEOUT_MS = 60_000;
const POLL_MS = 50;

interface Status {
  readonly supervisor: { readonly pid: number; readonly upgrade: UpgradeOutcome | null };
}

export function addUpgradeSelf(program: Command): void {
  program
    .command('upgrade-self')
    .description('go on with the Midflight that is installed now; the workers stay')
    .option('--json', 'one JSON object', false)
    .action(async ({ json }: { readonly json: boolean }) => {
      const home = toHome(process.cwd());
      const answer = (await callControl(home, { method: 'POST', path: '/upgrade-self' })) as
        | UpgradeAnswer
        | { readonly error: Failure };
      if ('error' in answer) return printFailure(answer.error, json);
      const { version, token } = answer;
      // An older supervisor does not say its own.
      const { before = null } = answer as Partial<UpgradeAnswer>;
      const { pid, upgrade } = await waitForOutcome(home, token);
      const failure = upgrade?.failure ?? null;
      if (failure !== null) throw new MidflightError('ERR_MIDFLIGHT_UPGRADE_FAILED', [failure]);
      if (json) printJson({ version, before, supervisor: { pid } });
      else if (before === version)
        print(`supervisor ${pid} goes on; nothing new: it was Midflight ${version} before`);
      else print(`supervisor ${pid} of Midflight ${version} goes on`);
    });
}

/** While one supervisor follows the other, nobody answers. */
async function waitForOutcome(home: Home, token: string): Promise<Status['supervisor']> {
  const deadline = performance.now() + OUTCOME_TIMEOUT_MS;
  while (performance.now() < deadline) {
    const status = (await callControl(home, { method: 'GET', path: '/status' }).catch(
      () => null,
    )) as Partial<Status> | null;
    if (status?.supervisor?.upgrade?.token === token) return status.supervisor;
    await sleep(POLL_MS);
  }
  throw new MidflightError('ERR_MIDFLIGHT_UPGRADE_FAILED', [
    `no supervisor has answered within ${OUTCOME_TIMEOUT_MS} ms`,
  ]);
}
