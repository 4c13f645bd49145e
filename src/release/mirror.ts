/**
 * Bare copies of remote repositories below `.midflight/source/`, by URL. Each is a cache: what is wrong with it is mended
 * by making it anew, and that is said.
 */

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import type { CommandResult } from './command.ts';
import { waitForLock } from './file-lock.ts';
import { git, redactCredentials } from './git.ts';

/** The first fetch of a large repository takes long. */
export const FETCH_TIMEOUT_MS = 600_000;
const WHOLE_COMMIT = /^(?:[\da-f]{40}|[\da-f]{64})$/;
const HEAD = /^(?:HEAD|@)(?![\w/.-])/;
/** Where the remote's own HEAD is kept. */
const REMOTE_HEAD = 'refs/midflight/HEAD';

export interface MirrorRequest {
  /** The folder of all mirrors. */
  readonly mirrors: string;
  /** Whatever `git fetch` takes; a path is relative to `cwd`. */
  readonly repository: string;
  readonly ref: string;
  readonly cwd: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  onProgress?(message: string): void;
}

export interface MirroredCommit {
  readonly gitDirectory: string;
  readonly commit: string;
}

/** Brings the mirror up to date and finds the commit there. A whole hash that is there already is not asked for.
 *  Errors: ERR_MIDFLIGHT_SOURCE_UNREACHABLE, ERR_MIDFLIGHT_SOURCE_AUTHENTICATION, ERR_MIDFLIGHT_SOURCE_REF_UNKNOWN. */
export async function fetchMirror(request: MirrorRequest): Promise<MirroredCommit> {
  const { mirrors, repository } = request;
  const name = createHash('sha256').update(repository).digest('hex').slice(0, 16);
  const gitDirectory = path.join(mirrors, `${name}.git`);
  await mkdir(mirrors, { recursive: true });
  // Two who fetch at once would find each other's locks, and take them for those of a killed git.
  const { timeoutMs = FETCH_TIMEOUT_MS, signal } = request;
  const lock = await waitForLock(`${gitDirectory}.lock`, { kind: 'alone', waitMs: timeoutMs, signal });
  if (lock === null)
    throw new MidflightError('ERR_MIDFLIGHT_SOURCE_UNREACHABLE', [
      redactCredentials(repository),
      `another process fetches it, and has not ended after ${timeoutMs} ms`,
    ]);
  try {
    return await fetchAlone(gitDirectory, request);
  } finally {
    lock.dispose();
  }
}

async function fetchAlone(gitDirectory: string, request: MirrorRequest): Promise<MirroredCommit> {
  const { repository, ref } = request;
  await createMirror(gitDirectory, request);
  if (WHOLE_COMMIT.test(ref)) {
    const known = await findCommit(gitDirectory, request);
    if (known !== null) return { gitDirectory, commit: known };
  }
  await update(gitDirectory, request);
  const commit = await findCommit(gitDirectory, request);
  if (commit === null)
    throw new MidflightError('ERR_MIDFLIGHT_SOURCE_REF_UNKNOWN', [ref, redactCredentials(repository)]);
  return { gitDirectory, commit };
}

async function createMirror(gitDirectory: string, { mirrors, signal }: MirrorRequest): Promise<void> {
  if (existsSync(path.join(gitDirectory, 'HEAD'))) return;
  const staging = `${gitDirectory}.${process.pid}.tmp`;
  await rm(staging, { recursive: true, force: true });
  const { exitCode, output } = await git(['init', '--bare', '--quiet', staging], { cwd: mirrors, signal });
  if (exitCode !== 0) throw new MidflightError('ERR_MIDFLIGHT_SOURCE_FETCH_FAILED', [gitDirectory, output]);
  await rm(gitDirectory, { recursive: true, force: true });
  await rename(staging, gitDirectory);
}

async function findCommit(gitDirectory: string, { ref, cwd, signal }: MirrorRequest): Promise<string | null> {
  const inMirror = ref.replace(HEAD, REMOTE_HEAD);
  const { exitCode, stdout } = await git(
    [
      '--git-dir',
      gitDirectory,
      'rev-parse',
      '--verify',
      '--quiet',
      '--end-of-options',
      `${inMirror}^{commit}`,
    ],
    { cwd, signal },
  );
  return exitCode === 0 ? stdout.trim() : null;
}

async function update(gitDirectory: string, request: MirrorRequest): Promise<void> {
  let fetched = await fetch(gitDirectory, request);
  if (fetched.exitCode !== 0 && isMirrorBroken(fetched.output)) {
    request.onProgress?.(
      `the copy of the repository is not usable, so it is made anew: ${lastLine(fetched.output)}`,
    );
    await rm(gitDirectory, { recursive: true, force: true });
    await createMirror(gitDirectory, request);
    fetched = await fetch(gitDirectory, request);
  }
  if (fetched.exitCode !== 0) throw explain(fetched, request);
  const rewritten = [...fetched.output.matchAll(/^ \+ (\S+)\s+(\S+)\s+-> .*\(forced update\)/gm)];
  for (const [, commits = '', branch = ''] of rewritten)
    request.onProgress?.(`the history of ${branch} was rewritten: ${commits}`);
}

async function fetch(gitDirectory: string, request: MirrorRequest): Promise<CommandResult> {
  const { repository, ref, cwd, signal, timeoutMs = FETCH_TIMEOUT_MS, onProgress } = request;
  const head = HEAD.test(ref) ? [`+HEAD:${REMOTE_HEAD}`] : [];
  const options = ['--prune', '--no-write-fetch-head', '--update-shallow', '--progress'];
  return git(
    [
      '--git-dir',
      gitDirectory,
      'fetch',
      ...options,
      '--',
      repository,
      ...head,
      '+refs/heads/*:refs/heads/*',
      '+refs/tags/*:refs/tags/*',
    ],
    {
      cwd,
      signal,
      timeoutMs,
      // Percentages come by carriage return.
      onOutput: (chunk) => onProgress?.(redactCredentials(lastLine(chunk.replaceAll('\r', '\n')))),
    },
  );
}

/** Who fetched before was killed, or the disk has lost something. */
function isMirrorBroken(output: string): boolean {
  return /\.lock': File exists|is corrupt|bad object|loose object|not a git repository: /.test(output);
}

function explain({ output, timedOut }: CommandResult, request: MirrorRequest): MidflightError {
  const { timeoutMs = FETCH_TIMEOUT_MS, ref } = request;
  const repository = redactCredentials(request.repository);
  const said = output
    .split(/[\r\n]+/)
    .filter((line) => line.trim() !== '' && !/^(?:remote: )?\w+ing objects:/.test(line))
    .slice(-10)
    .join('\n');
  if (/couldn't find remote ref HEAD/.test(output))
    return new MidflightError('ERR_MIDFLIGHT_SOURCE_REF_UNKNOWN', [ref, repository]);
  if (isAboutAccess(output))
    return new MidflightError('ERR_MIDFLIGHT_SOURCE_AUTHENTICATION', [repository, said]);
  const why = timedOut ? `no end after ${timeoutMs} ms\n${said}` : said;
  return new MidflightError('ERR_MIDFLIGHT_SOURCE_UNREACHABLE', [repository, why]);
}

function isAboutAccess(output: string): boolean {
  return /could not read (?:Username|Password)|Authentication failed|terminal prompts disabled|Permission denied \(|Host key verification failed|returned error: 40[13]/i.test(
    output,
  );
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)?.trim() ?? '';
}
