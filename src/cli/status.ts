import type { Command } from 'commander';
import { callControl } from '../console/control-client.ts';
import { toHome } from '../release/home.ts';
import { describeCrash, type CrashReport } from '../supervisor/crashes.ts';
import { toAddressText, type ListenerReport } from '../supervisor/process-host.ts';
import type { WorkerReport } from '../supervisor/worker-report.ts';
import { describeWork } from '../supervisor/describe-work.ts';
import { paint, print, printJson } from './output.ts';

interface Status {
  readonly app: string;
  readonly release: string | null;
  readonly keeper: { readonly pid: number };
  readonly supervisor: { readonly pid: number; readonly restarts: number };
  readonly workers: readonly WorkerReport[];
  /** Not said by older supervisors. */
  readonly isStopping?: boolean;
  readonly lastCrash: CrashReport | null;
  readonly listeners: readonly ListenerReport[];
  readonly deploy: { readonly stage: string; readonly release: string | null } | null;
  readonly notice?: { readonly at: string; readonly message: string } | null;
}

export function addStatus(program: Command): void {
  program
    .command('status')
    .description('what runs')
    .option('--json', 'one JSON object', false)
    .action(async ({ json }: { readonly json: boolean }) => {
      const status = (await callControl(toHome(process.cwd()), { method: 'GET', path: '/status' })) as Status;
      if (json) printJson(status);
      else printStatus(status);
    });
}

function printStatus({
  app,
  release,
  keeper,
  supervisor,
  workers,
  isStopping = false,
  lastCrash,
  listeners,
  deploy,
  notice = null,
}: Status): void {
  const again = supervisor.restarts === 0 ? '' : ` (after ${supervisor.restarts} more)`;
  print(
    `${paint('bold', app)}  release ${release ?? 'none'}  keeper ${keeper.pid}  supervisor ${supervisor.pid}${again}`,
  );
  print(`listening on ${toAddressText(listeners) || 'nothing'}`);
  const held = toAddressText(listeners, false);
  if (held !== '') print(`holding ${held}, which was passed in and which no worker listens on`);
  if (isStopping) print(paint('yellow', 'stopping: what is in flight ends, and nothing new is taken'));
  if (deploy !== null)
    print(`a deploy is under way: ${[deploy.stage, deploy.release].filter(Boolean).join(' ')}`);
  for (const worker of workers) print(describe(worker));
  if (release !== null && !isStopping && !workers.some(({ state }) => state === 'serving'))
    print(paint('red', 'no worker serves'));
  if (notice !== null) print(paint('red', notice.message) + paint('dim', `  ${notice.at}`));
  if (lastCrash !== null) print(paint('red', describeCrash(lastCrash)) + paint('dim', `  ${lastCrash.at}`));
}

function describe({
  pid,
  state,
  generation,
  inFlight,
  open,
  upgraded,
  rssBytes,
  drainDeadline,
  waitsFor = null,
  retained = [],
}: WorkerReport): string {
  const until = drainDeadline === null ? '' : ` until ${drainDeadline}`;
  const head = `worker ${pid}  ${state}${until}`;
  // One that starts has none yet.
  if (generation === undefined || generation === 0) return head;
  const kept = retained.map(
    (old) =>
      `\n  generation ${old.generation} is kept by${old.pinnedBy.map((pin) => `\n    ${pin}`).join('')}`,
  );
  const memory = `${Math.round((rssBytes ?? 0) / 1_048_576)} MiB`;
  const waits = waitsFor === null ? '' : `\n  waits for ${describeWork(waitsFor)}`;
  return `${head}  generation ${generation}  in flight ${inFlight}  open ${open}  upgraded ${upgraded}  ${memory}${waits}${kept.join('')}`;
}
