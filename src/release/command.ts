/** Runs one outside command (git, a package manager, an app's build) with a deadline, keeping the end of what it printed. */

import { spawn } from 'node:child_process';

/** Enough to hold an npm or tsc failure whole. */
const OUTPUT_BYTES_MAX = 64 * 1024;

export interface CommandOptions {
  readonly cwd: string;
  readonly timeoutMs: number;
  readonly env?: NodeJS.ProcessEnv;
  /** Run through the shell, as npm scripts are. */
  readonly shell?: boolean;
  /** Where standard output goes when it is data and not a message. */
  readonly stdout?: NodeJS.WritableStream;
}

export interface CommandResult {
  readonly exitCode: number | null;
  readonly timedOut: boolean;
  /** The last 64 KiB of standard output and standard error, in the order of arrival. */
  readonly output: string;
  readonly stdout: string;
}

/** Resolves when the command has ended, however it ended; rejects only when it can't be started. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const { promise, resolve, reject } = Promise.withResolvers<CommandResult>();
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    shell: options.shell ?? false,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  let stdout = '';
  let timedOut = false;
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-OUTPUT_BYTES_MAX);
  };
  if (options.stdout === undefined) {
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      keep(chunk);
    });
  } else child.stdout.pipe(options.stdout);
  child.stderr.on('data', keep);
  const timer = setTimeout(() => {
    timedOut = true;
    // The whole group: a package manager's children outlive it otherwise.
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }, options.timeoutMs);
  child.once('error', (error) => {
    clearTimeout(timer);
    reject(error);
  });
  child.once('close', (exitCode) => {
    clearTimeout(timer);
    resolve({ exitCode, timedOut, output: output.trimEnd(), stdout });
  });
  return promise;
}
