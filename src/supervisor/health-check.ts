/** Whether a worker is well, by all that its release says of it. */

import { setTimeout as sleep } from 'node:timers/promises';
import { MidflightError } from '../errors.ts';
import { runCommand } from '../release/command.ts';
import { healthBefore } from '../protocol/manifest.ts';
import type { DoorAnswer, HealthCheck } from '../protocol/messages.ts';
import { toCommandEnvironment } from './command-environment.ts';
import type { RunnableRelease } from './process-host.ts';
import { askWithin, type Worker } from './worker.ts';

/** From this version of its protocol on, an agent knows more than a path. */
const PROTOCOL_OF_CHECKS = 2;
const OUTPUT_LENGTH_MAX = 500;
/** What an event loop that is not stuck may be late by, on a machine that stalls. */
const ANSWER_MARGIN_MS = 5_000;

/** What a worker is asked itself, and not by a command; null where its agent knows nothing that could be asked. */
export function toHealthCheck(worker: Worker, { manifest }: RunnableRelease): HealthCheck | null {
  const health = manifest.settings.health ?? healthBefore;
  const { path, tcp, timeoutMs, intervalMs, failures } = health;
  if (path === null && isOld(worker)) return null;
  return { path, tcp, timeoutMs, intervalMs, failures };
}

/** Asks a worker of this generation, current or being prepared. Errors: ERR_MIDFLIGHT_HEALTH_FAILED. */
export async function checkHealthOf(
  worker: Worker,
  release: RunnableRelease,
  generation: number,
): Promise<void> {
  const check = toHealthCheck(worker, release);
  if (check !== null) await askForHealth(worker, check);
  await checkByCommand(worker, release, generation);
}

/** Its own `health()`, a path and an address have that long each; one that is stuck says nothing at all. */
async function askForHealth(worker: Worker, health: HealthCheck): Promise<void> {
  const timeoutMs = 3 * health.timeoutMs + ANSWER_MARGIN_MS;
  const late = [`of worker ${worker.pid}`, `it said nothing in ${timeoutMs} ms`];
  await askWithin(
    worker,
    { type: 'health', health },
    timeoutMs,
    new MidflightError('ERR_MIDFLIGHT_HEALTH_FAILED', late),
  );
}

/** By the command of the configuration, where there is one, until it is well or has failed as often as it may. */
export async function becomeHealthyByCommand(
  worker: Worker,
  release: RunnableRelease,
  generation: number,
): Promise<void> {
  const { failures, intervalMs } = release.manifest.settings.health ?? healthBefore;
  for (let left = failures; ; left--) {
    try {
      return await checkByCommand(worker, release, generation);
    } catch (error) {
      if (left <= 1) throw error;
      await sleep(intervalMs);
    }
  }
}

async function checkByCommand(worker: Worker, release: RunnableRelease, generation: number): Promise<void> {
  const { command, timeoutMs } = release.manifest.settings.health ?? healthBefore;
  if (command === null) return;
  await withDoor(worker, generation, async (address) => {
    const problem = await runCheck(command, { release, pid: worker.pid, address, timeoutMs });
    if (problem !== null) throw new MidflightError('ERR_MIDFLIGHT_HEALTH_FAILED', [`"${command}"`, problem]);
  });
}

export interface CheckOptions {
  readonly release: RunnableRelease;
  readonly pid: number;
  /** `127.0.0.1:34567`, where that leads to what is checked; null where only its own addresses do. */
  readonly address: string | null;
  readonly timeoutMs: number;
}

/** Null where the command ended with 0, else what was seen. */
export async function runCheck(command: string, options: CheckOptions): Promise<string | null> {
  const { exitCode, timedOut, output } = await runHealthCommand(command, options);
  if (exitCode === 0) return null;
  const how = timedOut ? `no end in ${options.timeoutMs} ms` : `exit code ${exitCode}`;
  return `${how}${output === '' ? '' : `; it printed last: ${output.slice(-OUTPUT_LENGTH_MAX)}`}`;
}

/** The command, in the release's own tree. */
export async function runHealthCommand(
  command: string,
  { release, pid, address, timeoutMs }: CheckOptions,
): Promise<{ readonly exitCode: number | null; readonly timedOut: boolean; readonly output: string }> {
  const { manifest, location } = release;
  const env = toCommandEnvironment(process.env, {
    RELEASE: manifest.id,
    RELEASE_ROOT: location.root,
    COMMIT: manifest.commit ?? '',
    PID: String(pid),
    ...(address === null ? {} : { ADDRESS: address, URL: `http://${address}` }),
  });
  return runCommand(command, [], { cwd: location.root, env, timeoutMs, shell: true });
}

/** A program, and a worker with an agent that does not know how, have no door. */
export async function withDoor<Result>(
  worker: Worker,
  generation: number,
  act: (address: string | null) => Promise<Result>,
): Promise<Result> {
  if (worker.kind === 'command' || isOld(worker)) return act(null);
  try {
    const answer = await askWithin(worker, { type: 'openDoor', generation }, ANSWER_MARGIN_MS);
    const { port } = answer as DoorAnswer;
    return await act(port === null ? null : `127.0.0.1:${port}`);
  } finally {
    await askWithin(worker, { type: 'closeDoor' }, ANSWER_MARGIN_MS).catch(() => null);
  }
}

function isOld(worker: Worker): boolean {
  return worker.kind === 'node' && worker.protocol().max < PROTOCOL_OF_CHECKS;
}
