import type { Command } from 'commander';
import { callControl } from '../console/control-client.ts';
import { toHome } from '../release/home.ts';
import { print, printJson } from './output.ts';

const STOP_POLL_MS = 50;

export function addStop(program: Command): void {
  program
    .command('stop')
    .description('end what runs: requests in flight are answered first')
    .option('--json', 'one JSON object', false)
    .action(async ({ json }: { readonly json: boolean }) => {
      const call = { method: 'POST', path: '/stop', isRepeatable: true } as const;
      const answer = (await callControl(toHome(process.cwd()), call)) as { stopping: number };
      await waitForEnd(answer.stopping);
      if (json) printJson({ stopped: answer.stopping });
      else print(`stopped ${answer.stopping}`);
    });
}

/** A process of another parent can't be waited for, only looked at. */
async function waitForEnd(pid: number): Promise<void> {
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, STOP_POLL_MS));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    // ESRCH: it has ended.
    return false;
  }
}
