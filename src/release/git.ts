/** Asks git, which asks nobody: no prompt, a deadline, messages in English. */

import { MidflightError } from '../errors.ts';
import { toGitEnvironment } from './build-environment.ts';
import { runCommand, type CommandResult } from './command.ts';

/** For what needs no network. */
export const GIT_TIMEOUT_MS = 120_000;

export interface GitOptions {
  readonly cwd: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  readonly stdout?: NodeJS.WritableStream;
  readonly onOutput?: (chunk: string) => void;
}

/** Resolves however git ends. Errors: ERR_MIDFLIGHT_SOURCE_FETCH_FAILED where there is no git. */
export async function git(args: readonly string[], options: GitOptions): Promise<CommandResult> {
  try {
    const env = toGitEnvironment(process.env);
    const result = await runCommand('git', args, {
      timeoutMs: GIT_TIMEOUT_MS,
      keepsStdout: true,
      ...options,
      env,
    });
    return { ...result, output: redactCredentials(result.output) };
  } catch (error) {
    if (error instanceof MidflightError) throw error;
    throw new MidflightError('ERR_MIDFLIGHT_SOURCE_FETCH_FAILED', ['git', String(error)], { cause: error });
  }
}

/** What git prints; null where it fails. */
export async function askGit(args: readonly string[], options: GitOptions): Promise<string | null> {
  const { exitCode, stdout } = await git(args, options);
  return exitCode === 0 ? stdout.replace(/\n$/, '') : null;
}

/** The text without the user and password that URLs in it have. */
export function redactCredentials(text: string): string {
  return text.replaceAll(
    /([a-z][a-z\d+.-]*:\/\/)([^\s/]*)@/gi,
    (whole: string, scheme: string, user: string) =>
      // `ssh://git@host` names a user, and nothing that is secret.
      /^https?:/i.test(scheme) || user.includes(':') ? `${scheme}***@` : whole,
  );
}
