/** One deploy of the record, for a person: what came of it and why first, then what was seen. */

import { parseEvidence, type Evidence } from '../deploy/evidence.ts';
import type { DeployRecord } from '../deploy/history.ts';
import { paint, print, toDurationText } from './output.ts';

export function printDeploy(deploy: DeployRecord): void {
  const { id, action, release, previous, path, result, startedAt, endedAt, reasons, timings } = deploy;
  const isGood = result === 'committed' || result === 'unchanged';
  print(
    `${action ?? 'deploy'} ${id}  ${paint(isGood ? 'green' : 'red', result)}  ${path}  ${release ?? 'no release'}`,
  );
  print(`  before it ${previous ?? 'nothing'}; from ${startedAt} to ${endedAt ?? 'now'}`);
  const times = Object.entries(timings).filter(([name]) => name.endsWith('Ms'));
  if (times.length > 0)
    print(`  ${times.map(([name, ms]) => `${name.slice(0, -2)} ${toDurationText(ms)}`).join(', ')}`);
  const evidence = parseEvidence(deploy.evidence);
  if (evidence === null) {
    if (deploy.evidence !== null) printPart('why', deploy.evidence);
    printPart('plan', reasons.map(({ code, message }) => `${code} ${message}`).join('\n'));
  } else printEvidence(evidence);
}

function printEvidence({ error, health, exit, probation, hooks, plan, output }: Evidence): void {
  if (error !== null) printPart('why', `${error.code}\n${error.message}`);
  if (health !== null) printPart('health', `${health.check}: ${health.seen}`);
  if (exit !== null) printPart('worker', `ended by ${exit}`);
  if (probation !== null) {
    const aspects = probation.aspects.map(
      ({ code, verdict, message }) => `${code} ${verdict.padEnd(12)} ${message}`,
    );
    printPart(`probation: ${probation.verdict}`, aspects.join('\n'));
  }
  for (const { name, outcome, exitCode, durationMs, output: printed } of hooks)
    printPart(`hook ${name}: ${outcome} (exit code ${exitCode}) in ${toDurationText(durationMs)}`, printed);
  if (plan !== null) {
    const modules = plan.modules.map(({ path, change }) => `${change.padEnd(8)} ${path}`);
    printPart(
      'plan',
      [...plan.reasons.map(({ code, message }) => `${code} ${message}`), ...modules].join('\n'),
    );
  }
  printPart('printed last', output);
}

function printPart(head: string, text: string): void {
  if (text === '' && !head.startsWith('hook')) return;
  print(paint('bold', head));
  for (const line of text.split('\n')) if (line !== '') print(`  ${line}`);
}
