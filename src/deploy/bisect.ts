/**
 * Finds the first bad one of the releases that are kept. Each is tried in a fresh process that is loaded and never committed: it accepts nothing,
 * has no listener of the service and no address that anybody knows, and ends with the trial. What serves is not asked for anything.
 */

import path from 'node:path';
import { MidflightError } from '../errors.ts';
import type { CommandResult } from '../release/command.ts';
import { toHome, type Home } from '../release/home.ts';
import { readEnvelope } from '../release/statement.ts';
import { readTrust, verifyStatement } from '../release/trust.ts';
import { load } from '../supervisor/crew.ts';
import {
  becomeHealthyByCommand,
  runHealthCommand,
  toHealthCheck,
  withDoor,
} from '../supervisor/health-check.ts';
import { createLocalHost } from '../supervisor/local-host.ts';
import { spawnNodeWorker, type NodeWorker } from '../supervisor/node-worker.ts';
import { createPrivateListeners } from '../supervisor/private-listeners.ts';
import type { RunnableRelease } from '../supervisor/process-host.ts';
import { bisect, type BisectOutcome, type Trial } from './bisect-search.ts';
import { listReleases, readRelease } from './releases.ts';

/** A command that has not ended by then says nothing. */
const RUN_TIMEOUT_MS = 600_000;
/** As of `git bisect run`: this one can't be tried. */
const UNTESTABLE_EXIT_CODE = 125;
const OUTPUT_LENGTH_MAX = 500;
const kGeneration = 1;

export interface BisectOptions {
  readonly appDirectory: string;
  /** Null is the oldest that is kept. */
  readonly good: string | null;
  /** Null is the newest. */
  readonly bad: string | null;
  /** A shell command that says which is good; null is the health check of each release. */
  readonly run: string | null;
  onTrial(trial: Trial): void;
}

export interface BisectReport extends BisectOutcome {
  /** The outcome as a sentence. */
  readonly message: string;
}

/** Errors: ERR_MIDFLIGHT_RELEASE_UNKNOWN, ERR_MIDFLIGHT_BISECT_REFUSED. */
export async function bisectReleases(options: BisectOptions): Promise<BisectReport> {
  const home = toHome(options.appDirectory);
  const releases = await selectReleases(home, options);
  const outcome = await bisect(releases, async (id) => {
    const trial = await tryRelease(home, id, options);
    options.onTrial({ release: id, ...trial });
    return trial;
  });
  return { ...outcome, message: toSentence(outcome) };
}

async function selectReleases(home: Home, { good, bad }: BisectOptions): Promise<readonly string[]> {
  const kept = await listReleases(home);
  for (const id of [good, bad]) {
    if (id !== null && !kept.includes(id)) throw new MidflightError('ERR_MIDFLIGHT_RELEASE_UNKNOWN', [id]);
  }
  const first = good === null ? 0 : kept.indexOf(good);
  const last = bad === null ? kept.length - 1 : kept.indexOf(bad);
  if (last > first) return kept.slice(first, last + 1);
  const why = `it takes two, of which the good one is the older; ${kept.length} are kept, see "midflight history"`;
  throw new MidflightError('ERR_MIDFLIGHT_BISECT_REFUSED', [why]);
}

type Attempt = Omit<Trial, 'release'>;

async function tryRelease(home: Home, id: string, options: BisectOptions): Promise<Attempt> {
  const release = await readTrusted(home, id).catch((error: unknown) => toUntestable(error));
  if ('verdict' in release) return release;
  if (release.manifest.kind === 'command') {
    const why =
      'a program that is not Node opens its own door to the world, so it is not tried beside the one that serves';
    throw new MidflightError('ERR_MIDFLIGHT_BISECT_REFUSED', [why]);
  }
  const listeners = createPrivateListeners();
  const host = createLocalHost({ listeners, sinks: [] });
  const { appDirectory } = options;
  const worker = await spawnNodeWorker({ host, release, appDirectory, label: null, onEvent() {} });
  try {
    return options.run === null
      ? await byHealth(worker, release)
      : await byCommand(worker, release, options.run);
  } finally {
    worker.kill('SIGKILL');
    await worker.exited;
    listeners.close();
  }
}

/** Nothing that is not signed is loaded where keys are trusted, not even to try it. */
async function readTrusted(home: Home, id: string): Promise<RunnableRelease> {
  const release = await readRelease(home, id);
  const { digest = '', manifestFile } = release.location;
  const trust = readTrust(home.trust);
  const app = path.basename(home.appDirectory);
  if (trust !== null)
    verifyStatement(trust, readEnvelope(manifestFile), { release: id, digest, app, now: new Date() });
  return release;
}

async function byHealth(worker: NodeWorker, release: RunnableRelease): Promise<Attempt> {
  try {
    await load(worker, { release, generation: kGeneration, health: toHealthCheck(worker, release) });
    await becomeHealthyByCommand(worker, release, kGeneration);
    return { verdict: 'good', message: 'it loads, is ready and well' };
  } catch (error) {
    return { verdict: 'bad', message: toMessage(error) };
  }
}

/** One that does not even load, or opens no door, says nothing of what the command is about. */
async function byCommand(worker: NodeWorker, release: RunnableRelease, command: string): Promise<Attempt> {
  try {
    await load(worker, { release, generation: kGeneration, health: null });
    const result = await withDoor(worker, kGeneration, async (address) =>
      runHealthCommand(command, { release, pid: worker.pid, address, timeoutMs: RUN_TIMEOUT_MS }),
    );
    return toAttempt(result);
  } catch (error) {
    return toUntestable(error);
  }
}

function toAttempt({ exitCode, timedOut, output }: Omit<CommandResult, 'stdout'>): Attempt {
  const how = timedOut ? `no end in ${RUN_TIMEOUT_MS} ms` : `exit code ${exitCode}`;
  const message = output === '' ? how : `${how}: ${output.slice(-OUTPUT_LENGTH_MAX)}`;
  if (timedOut || exitCode === UNTESTABLE_EXIT_CODE) return { verdict: 'untestable', message };
  return { verdict: exitCode === 0 ? 'good' : 'bad', message };
}

function toUntestable(error: unknown): Attempt {
  return { verdict: 'untestable', message: toMessage(error) };
}

function toMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function toSentence({ result, firstBad, lastGood, suspects, trials }: BisectOutcome): string {
  const count = `${trials.length} release${trials.length === 1 ? ' was' : 's were'} tried`;
  switch (result) {
    case 'found':
      return `${firstBad} is the first bad release, ${lastGood} the last good one; ${count}`;
    case 'unsure':
      return `The first bad release is one of ${suspects.join(', ')}; what lies between could not be tried, and ${count}`;
    case 'none':
      return `${lastGood} is good, so there is no bad release to be found; name one by --bad`;
    case 'all':
      return `${suspects[0] ?? 'The oldest release'} is bad already; name a good one by --good, if there is one`;
  }
}
