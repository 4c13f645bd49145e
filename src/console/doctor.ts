/** Whether this machine and this app are fit: each check says what was seen, and what to do where that is not well. */

import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { openHistory } from '../deploy/history.ts';
import { toFailure } from '../errors.ts';
import { parseListenText } from '../protocol/listen-text.ts';
import { readConfig } from '../release/config.ts';
import type { Home } from '../release/home.ts';
import { findManager } from '../release/package-managers.ts';
import { verifyRelease } from '../release/verify.ts';
import { warnOfFileLimit } from '../supervisor/file-limit.ts';
import { isHolderThere } from '../supervisor/lock-holder.ts';
import { findOrphans } from '../supervisor/orphans.ts';
import { hasPerl } from '../supervisor/program-parent.ts';
import { readInotifyUse, type InotifyUse } from './inotify-use.ts';

export const checkResults = ['ok', 'warn', 'fail'] as const;
export type CheckResult = (typeof checkResults)[number];

export interface Check {
  readonly name: string;
  readonly result: CheckResult;
  readonly message: string;
  /** Null where all is well. */
  readonly fix: string | null;
}

const NODE_MAJOR_MIN = 24;
/** A release with its dependencies is seldom larger. */
const FREE_BYTES_LOW = 1024 ** 3;
const FREE_BYTES_MIN = 100 * 1024 ** 2;
/** `--version` of a package manager that asks the network first hangs. */
const VERSION_TIMEOUT_MS = 20_000;
/** A tree of some size has as many folders, and an editor watches them a second time. */
const FREE_WATCHES_LOW = 4_096;
/** Some for `midflight dev`, an editor and its helpers. */
const FREE_INSTANCES_LOW = 8;
/** What a clock that is kept right may go back. */
const CLOCK_BACK_MS_MAX = 5_000;
const PROBLEMS_SHOWN_MAX = 3;
const MODE_OF_OTHERS_TO_WRITE = 0o022;

/** All checks, in the order of what they are about: the machine, then the app. */
export async function examine(home: Home): Promise<readonly Check[]> {
  const config = await readConfig(home.appDirectory).catch((error: unknown) => toFailure(error));
  const isRunning = isHolderThere(home.lockFile) || findOrphans(home.processFile).length > 0;
  const checks = [
    checkNode(),
    checkTool('git', 'releases are made from it'),
    checkFileLimit(),
    checkWatches(readInotifyUse()),
    checkDisk(home),
    checkHome(home),
    ...(await checkRecord(home)),
  ];
  if ('code' in config) {
    const fix = 'correct midflight.config; docs/reference/config.md has the keys';
    return [...checks, toCheck('configuration', 'fail', config.message, fix)];
  }
  checks.push(toCheck('configuration', 'ok', 'valid'));
  if (existsSync(`${home.appDirectory}/package.json`)) checks.push(await checkManager(home));
  if (config.command !== undefined) checks.push(checkPerl());
  for (const address of config.listen) checks.push(await checkAddress(address, isRunning));
  return checks;
}

function toCheck(name: string, result: CheckResult, message: string, fix: string | null = null): Check {
  return { name, result, message, fix };
}

function checkNode(): Check {
  const major = Number(process.versions.node.split('.')[0]);
  const message = `${process.version} at ${process.execPath}`;
  return major >= NODE_MAJOR_MIN
    ? toCheck('node', 'ok', message)
    : toCheck('node', 'fail', message, `install Node.js ${NODE_MAJOR_MIN} or later`);
}

function checkTool(command: string, use: string): Check {
  const { status, stdout, error } = spawnSync(command, ['--version'], {
    encoding: 'utf8',
    timeout: VERSION_TIMEOUT_MS,
  });
  if (status === 0) return toCheck(command, 'ok', stdout.trim().split('\n')[0] ?? '');
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  const seen = code === 'ENOENT' ? 'is not on the PATH' : `"${command} --version" failed`;
  return toCheck(
    command,
    'fail',
    `${command} ${seen}; ${use}`,
    `install ${command}, or add its folder to PATH`,
  );
}

function checkFileLimit(): Check {
  const warning = warnOfFileLimit();
  if (warning === null) return toCheck('open files', 'ok', 'enough');
  const [message = '', fix = ''] = warning.split('; ');
  return toCheck('open files', 'warn', message, fix);
}

/** Only `midflight dev` watches, so what serves never fails by it. */
export function checkWatches(use: InotifyUse | null): Check {
  const name = 'file watches';
  if (use === null) return toCheck(name, 'ok', 'no limit is known here');
  const { instances, instancesMax, watches, watchesMax } = use;
  const message = `${watches} of ${watchesMax} are taken, by ${instances} of ${instancesMax} instances`;
  const few = [
    watchesMax - watches < FREE_WATCHES_LOW && `fs.inotify.max_user_watches=${watchesMax + 2 ** 19}`,
    instancesMax - instances < FREE_INSTANCES_LOW && `fs.inotify.max_user_instances=${instancesMax * 4}`,
  ].filter((setting) => setting !== false);
  if (few.length === 0) return toCheck(name, 'ok', message);
  return toCheck(name, 'warn', `${message}; "midflight dev" may need more`, `sysctl ${few.join(' ')}`);
}

function checkDisk({ appDirectory }: Home): Check {
  const { bavail, bsize } = statfsSync(appDirectory);
  const freeBytes = bavail * bsize;
  const message = `${Math.floor(freeBytes / 1024 ** 2)} MiB are free for ${appDirectory}`;
  if (freeBytes >= FREE_BYTES_LOW) return toCheck('disk', 'ok', message);
  const fix = 'make room; "midflight gc" and a smaller "keep" remove releases';
  return toCheck('disk', freeBytes < FREE_BYTES_MIN ? 'fail' : 'warn', message, fix);
}

function checkHome({ appDirectory, directory }: Home): Check {
  const name = '.midflight';
  const place = existsSync(directory) ? directory : appDirectory;
  try {
    accessSync(place, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const fix =
      code === 'EROFS'
        ? 'mount its disk to be written: see "dmesg" for why it is not'
        : 'give it to the user that runs the app: chown';
    return toCheck(name, 'fail', `${place} can't be written: ${code}`, fix);
  }
  const { uid, mode } = statSync(place);
  const own = process.getuid?.();
  if (own !== undefined && uid !== own)
    return toCheck(
      name,
      'warn',
      `${place} is of uid ${uid}, this is ${own}`,
      'run Midflight as one user: chown',
    );
  if (place === directory && (mode & MODE_OF_OTHERS_TO_WRITE) !== 0)
    return toCheck(name, 'warn', `others may write into ${place}`, `chmod go-w ${place}`);
  return toCheck(name, 'ok', place === directory ? 'own, and writable' : 'can be made');
}

/** The record, and what is right only as far as that says: the clock, and the files of the release that serves. */
async function checkRecord(home: Home): Promise<readonly Check[]> {
  if (!existsSync(home.database)) return [toCheck('record', 'ok', 'nothing was deployed yet')];
  try {
    const history = openHistory(home.database);
    try {
      history.check();
      const [newest] = history.list(1);
      const current = history.current();
      const checks = [toCheck('record', 'ok', 'whole')];
      if (newest !== undefined) checks.push(checkClock(newest.endedAt ?? newest.startedAt));
      return current === null ? checks : [...checks, await checkRelease(home, current)];
    } finally {
      history.close();
    }
  } catch (error) {
    const { message } = toFailure(error);
    return [toCheck('record', 'fail', message, 'docs/guide/operations.md has what to do with a record')];
  }
}

function checkClock(newest: string): Check {
  const aheadMs = Date.parse(newest) - Date.now();
  if (!(aheadMs > CLOCK_BACK_MS_MAX)) return toCheck('clock', 'ok', new Date().toISOString());
  return toCheck(
    'clock',
    'warn',
    `it is ${new Date().toISOString()}, and the last deploy was at ${newest}: the clock was wrong then, or is now`,
    'see whether it is kept right ("timedatectl"); signatures and the ages of releases go by it',
  );
}

async function checkRelease(home: Home, id: string): Promise<Check> {
  const name = 'current release';
  const fix = 'deploy its commit again, and find out who changed it; "midflight verify" names all';
  try {
    const { problems, fileCount } = await verifyRelease(home, id);
    const [first] = problems;
    if (first === undefined) return toCheck(name, 'ok', `${fileCount} files of ${id} are as they were built`);
    const shown = problems.slice(0, PROBLEMS_SHOWN_MAX).map(({ path, kind }) => `${path} is ${kind}`);
    const more = problems.length > shown.length ? `; and ${problems.length - shown.length} more` : '';
    return toCheck(name, first.kind === 'unlisted' ? 'warn' : 'fail', `${shown.join('; ')}${more}`, fix);
  } catch (error) {
    return toCheck(name, 'fail', toFailure(error).message, 'deploy again');
  }
}

async function checkManager({ appDirectory }: Home): Promise<Check> {
  let named: unknown;
  try {
    const description = JSON.parse(readFileSync(`${appDirectory}/package.json`, 'utf8')) as object;
    named = 'packageManager' in description ? description.packageManager : undefined;
  } catch (error) {
    return toCheck('package.json', 'fail', String(error), 'correct it');
  }
  const { manager } = await findManager(appDirectory, named);
  return checkTool(
    manager.command,
    manager.lockFile === '' ? 'there is no lockfile' : `${manager.lockFile} is its lockfile`,
  );
}

function checkPerl(): Check {
  if (hasPerl()) return toCheck('perl', 'ok', 'on the PATH');
  const message = 'perl is not on the PATH; some programs need it to be handed off';
  return toCheck('perl', 'warn', message, 'install perl; docs/guide/any-language.md says what goes without');
}

/** Bound for a moment, where nothing of this app runs. */
async function checkAddress(address: string, isRunning: boolean): Promise<Check> {
  const name = `listen ${address}`;
  const target = parseListenText(address);
  if (isRunning) return toCheck(name, 'ok', 'this app runs; "midflight status" has what it listens on');
  if (target === null || target.kind === 'unix') return toCheck(name, 'ok', 'is bound at the start');
  const server = createServer();
  try {
    server.listen({ port: target.port, ...(target.host === null ? {} : { host: target.host }) });
    await once(server, 'listening');
    return toCheck(name, 'ok', 'free');
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException;
    const fix =
      code === 'EACCES'
        ? 'take a port above 1023, or let systemd hold the socket'
        : 'end what listens there, or take another address';
    return toCheck(name, 'fail', `can't be bound: ${code}`, fix);
  } finally {
    server.close();
  }
}
