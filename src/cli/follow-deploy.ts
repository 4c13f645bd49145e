/** Follows a deploy or rollback to its end, for a person or for a program. */

import { callControl } from '../console/control-client.ts';
import { signFor } from '../console/sign-for.ts';
import type { DeployReport, Progress } from '../deploy/deploy-request.ts';
import { MidflightError, type Failure } from '../errors.ts';
import { toHome } from '../release/home.ts';
import { readSigningKey } from '../release/signing-key.ts';
import { paint, print, printFailure, printJson, reportFailure, toDurationText } from './output.ts';

interface Refusal {
  readonly error: Failure;
}

/** Exit code 0 only where the new release is committed, or nothing differed. */
export async function followDeploy(
  path: string,
  body: object,
  { json: isJson, sign }: { readonly json: boolean; readonly sign: readonly string[] },
): Promise<void> {
  const home = toHome(process.cwd());
  const keys = sign.map(readSigningKey);
  const signers = keys.map(({ id }) => id);
  const answer = await callControl(home, {
    method: 'POST',
    path,
    body: signers.length === 0 ? body : { ...body, signers },
    onEvent(event, data) {
      if (event === 'sign') signFor(home, data, keys).catch((error: unknown) => reportFailure(error, false));
      if (event === 'progress' && !isJson) printProgress(data as Progress);
    },
  });
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
  else printReport(report);
  process.exitCode = toExitCode(report);
}

function toExitCode({ result, error }: DeployReport): number {
  if (result === 'committed' || result === 'unchanged') return 0;
  return error?.exitCode ?? 3;
}

function printProgress({ step, message }: Progress): void {
  const [first = '', ...rest] = message.split('\n');
  print(`${paint('dim', step.padEnd(9))} ${first}`.trimEnd());
  if (step === 'rejected') for (const line of rest) print(`          ${line}`);
}

function printReport({ result, release, previous, path, generation, timings, error }: DeployReport): void {
  const isGood = result === 'committed' || result === 'unchanged';
  const times = Object.entries(timings).map(([name, value]) =>
    name === 'stateBytes' ? `${value} bytes of state` : `${name.replace(/Ms$/, '')} ${toDurationText(value)}`,
  );
  const how = result === 'committed' ? `by ${path}, generation ${generation}` : '';
  print(`${paint(isGood ? 'green' : 'red', result)} ${release ?? ''} ${how}`.trimEnd());
  if (!isGood) print(`${previous ?? 'nothing'} serves on`);
  if (error !== null && result === 'rolled-back') print(error.message);
  print(paint('dim', times.join(', ')));
}
