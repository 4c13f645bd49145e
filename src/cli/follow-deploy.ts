/** Follows a deploy or rollback to its end, for a person or for a program. */

import { isatty } from 'node:tty';
import { callControl, type ControlCall } from '../console/control-client.ts';
import type { DeployReport, Progress } from '../deploy/deploy-request.ts';
import { MidflightError, type Failure } from '../errors.ts';
import { toHome, type Home } from '../release/home.ts';
import type { SigningKey } from '../release/signing-key.ts';
import { createDeployDisplay, type DeployDisplay } from './deploy-display.ts';
import { question, watchInterruption } from './interruption.ts';
import { printFailure, printJson, reportFailure } from './output.ts';

interface Refusal {
  readonly error: Failure;
}

interface Followed {
  readonly path: string;
  /** Null where what is under way is followed. */
  readonly body: object | null;
}

const TICK_MS = 100;
/** As a shell says of what Ctrl-C has ended. */
const DETACHED_EXIT_CODE = 130;

/** Exit code 0 only where the new release is committed, or nothing differed. */
export async function followDeploy(
  { path, body }: Followed,
  { json: isJson, sign }: { readonly json: boolean; readonly sign: readonly string[] },
): Promise<void> {
  const home = toHome(process.cwd());
  const keys = await readKeys(sign);
  const signers = keys.map(({ id }) => id);
  const call: ControlCall = {
    ...(body === null
      ? { method: 'GET', path }
      : { method: 'POST', path, body: signers.length === 0 ? body : { ...body, signers } }),
    onEvent(event, data) {
      if (event === 'sign')
        answerWith(keys, home, data).catch((error: unknown) => reportFailure(error, false));
    },
  };
  const answer = isJson ? await callControl(home, call) : await show(home, call);
  if (answer === null) {
    throw new MidflightError('ERR_MIDFLIGHT_INTERNAL', [
      'the supervisor ended during the deploy; see "midflight history"',
    ]);
  }
  const report = answer as DeployReport | Refusal;
  if (!('result' in report)) {
    printFailure(report.error, isJson);
    return;
  }
  if (isJson) printJson(report);
  process.exitCode = toExitCode(report);
}

/** What signs is imported where there are keys: most deploys have none. */
async function readKeys(files: readonly string[]): Promise<readonly SigningKey[]> {
  if (files.length === 0) return [];
  const { readSigningKey } = await import('../release/signing-key.ts');
  return files.map(readSigningKey);
}

async function answerWith(keys: readonly SigningKey[], home: Home, data: unknown): Promise<void> {
  const { signFor } = await import('../console/sign-for.ts');
  await signFor(home, data, keys);
}

function toExitCode({ result, error }: DeployReport): number {
  if (result === 'committed' || result === 'unchanged') return 0;
  return error?.exitCode ?? 3;
}

async function show(home: Home, call: ControlCall): Promise<unknown> {
  const display = createDeployDisplay(
    {
      isTerminal: isatty(1),
      columns: process.stdout.columns || 80,
      write: (text) => void process.stdout.write(text),
    },
    () => performance.now(),
  );
  const timer = setInterval(() => display.tick(), TICK_MS);
  let run: number | null = null;
  const stop = watchInterruption(toActions(home, display, () => run));
  try {
    return await callControl(home, {
      ...call,
      onEvent(event, data) {
        call.onEvent?.(event, data);
        if (event === 'report') display.report(data as DeployReport);
        if (event !== 'progress') return;
        run = (data as Progress).run ?? run;
        display.progress(data as Progress);
      },
    });
  } finally {
    clearInterval(timer);
    stop();
    display.close();
  }
}

function toActions(
  home: Home,
  display: DeployDisplay,
  run: () => number | null,
): Parameters<typeof watchInterruption>[0] {
  return {
    isIdle: () => run() === null,
    ask: (isAsked) => display.ask(isAsked ? question : null),
    abort() {
      display.say('aborting; Ctrl-C detaches');
      const body = { run: run() };
      // It may have ended meanwhile, and then its report is about to come.
      callControl(home, { method: 'POST', path: '/abort', body }).catch(() => null);
    },
    detach() {
      display.close();
      if (run() !== null) display.say('detached: the deploy goes on; "midflight deploy --watch" follows it');
      process.exit(DETACHED_EXIT_CODE);
    },
  };
}
