/** Brings the source of a release into a folder: a commit by `git archive`, or the working tree as it stands. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { runCommand, type CommandResult } from './command.ts';

const GIT_TIMEOUT_MS = 120_000;
/** Never part of a release's source. */
const EXCLUDED = new Set(['.git', '.midflight', 'node_modules']);

export interface SourceRequest {
  readonly appDirectory: string;
  /** Anything `git rev-parse` takes. */
  readonly ref: string;
  readonly isDirty: boolean;
}

export interface FetchedSource {
  /** Full commit hash; null outside git. */
  readonly commit: string | null;
  readonly isDirty: boolean;
}

/** Errors: ERR_MIDFLIGHT_SOURCE_NO_REPOSITORY, ERR_MIDFLIGHT_SOURCE_REF_UNKNOWN, ERR_MIDFLIGHT_SOURCE_FETCH_FAILED. */
export async function fetchSource(request: SourceRequest, target: string): Promise<FetchedSource> {
  await mkdir(target, { recursive: true });
  return request.isDirty ? fetchWorkingTree(request.appDirectory, target) : fetchCommit(request, target);
}

async function fetchCommit({ appDirectory, ref }: SourceRequest, target: string): Promise<FetchedSource> {
  const prefix = await git(appDirectory, ['rev-parse', '--show-prefix']);
  if (prefix.exitCode !== 0) throw new MidflightError('ERR_MIDFLIGHT_SOURCE_NO_REPOSITORY', [appDirectory]);
  const parsed = await git(appDirectory, [
    'rev-parse',
    '--verify',
    '--quiet',
    '--end-of-options',
    `${ref}^{commit}`,
  ]);
  if (parsed.exitCode !== 0)
    throw new MidflightError('ERR_MIDFLIGHT_SOURCE_REF_UNKNOWN', [ref, appDirectory]);
  const commit = parsed.stdout.trim();
  await extract(appDirectory, `${commit}:${prefix.stdout.trim()}`, target);
  return { commit, isDirty: false };
}

async function extract(appDirectory: string, tree: string, target: string): Promise<void> {
  const tar = spawn('tar', ['-x', '-C', target], { stdio: ['pipe', 'ignore', 'pipe'] });
  let problem = '';
  tar.stderr.on('data', (chunk: Buffer) => (problem += chunk.toString()));
  // A full disk ends tar early; what git still writes then is of no use.
  tar.stdin.on('error', (error) => (problem ||= error.message));
  const ended = once(tar, 'close') as Promise<[number | null]>;
  const archive = await runCommand('git', ['archive', '--format=tar', tree], {
    // Paths would be cut to the current folder otherwise.
    cwd: (await git(appDirectory, ['rev-parse', '--show-toplevel'])).stdout.trim(),
    timeoutMs: GIT_TIMEOUT_MS,
    stdout: tar.stdin,
  });
  const [exitCode] = await ended;
  if (archive.exitCode !== 0 || exitCode !== 0) {
    throw new MidflightError('ERR_MIDFLIGHT_SOURCE_FETCH_FAILED', [
      tree,
      `${archive.output}${problem}`.trim(),
    ]);
  }
}

async function fetchWorkingTree(appDirectory: string, target: string): Promise<FetchedSource> {
  const head = await git(appDirectory, ['rev-parse', '--verify', '--quiet', 'HEAD']);
  const listed = await git(appDirectory, ['ls-files', '-z', '--cached', '--others', '--exclude-standard']);
  const names = listed.exitCode === 0 ? listed.stdout.split('\0') : await readdir(appDirectory);
  for (const name of names) {
    if (name === '' || EXCLUDED.has(name.split('/')[0] ?? '')) continue;
    await copyPresent(path.join(appDirectory, name), path.join(target, name));
  }
  return { commit: head.exitCode === 0 ? head.stdout.trim() : null, isDirty: true };
}

async function copyPresent(from: string, to: string): Promise<void> {
  try {
    await cp(from, to, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (file) => !EXCLUDED.has(path.basename(file)),
    });
  } catch (error) {
    // A file that git knows and somebody has just deleted is not in the tree as it stands.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

async function git(cwd: string, args: readonly string[]): Promise<CommandResult> {
  try {
    return await runCommand('git', args, { cwd, timeoutMs: GIT_TIMEOUT_MS });
  } catch (error) {
    throw new MidflightError('ERR_MIDFLIGHT_SOURCE_FETCH_FAILED', ['git', String(error)], { cause: error });
  }
}
