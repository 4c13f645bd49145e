/** Runs one outside command (git, a package manager, an app's build) with a deadline, keeping the end of what it printed. */

import { spawn, type ChildProcess } from 'node:child_process';
import { pipeline } from 'node:stream';
import { MidflightError } from '../errors.ts';

/** Enough to hold an npm or tsc failure whole. */
const OUTPUT_BYTES_MAX = 64 * 1024;

export interface CommandOptions {
  readonly cwd: string;
  readonly timeoutMs: number;
  readonly env?: NodeJS.ProcessEnv;
  /** Run through the shell, as npm scripts are. */
  readonly shell?: boolean;
  /** Where standard output goes when it is data and not a message. Closed early: the command finds nobody who reads. */
  readonly stdout?: NodeJS.WritableStream;
  /** Standard output is an answer, and wanted whole; a build may print without end. */
  readonly keepsStdout?: boolean;
  /** Aborted: the command is ended, with all that it has started. */
  readonly signal?: AbortSignal | undefined;
  /** Gets all messages, as they come. */
  readonly onOutput?: ((chunk: string) => void) | undefined;
}

export interface CommandResult {
  readonly exitCode: number | null;
  readonly timedOut: boolean;
  /** The last 64 KiB of standard output and standard error, in the order of arrival. */
  readonly output: string;
  /** `''` unless it is kept. */
  readonly stdout: string;
}

/** From the request to end until the end by force: git takes its locks away meanwhile. */
const GRACE_MS = 2_000;

/** What runs ends with this process, however that ends, but by SIGKILL. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) signalGroup(child, 'SIGKILL');
});

/** Resolves when the command has ended, however it ended; rejects when it can't be started.
 *  Errors: ERR_MIDFLIGHT_BUILD_ABORTED. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const { promise, resolve, reject } = Promise.withResolvers<CommandResult>();
  const { signal, onOutput } = options;
  if (signal?.aborted === true) return Promise.reject(new MidflightError('ERR_MIDFLIGHT_BUILD_ABORTED', []));
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    shell: options.shell ?? false,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  running.add(child);
  let output = '';
  let stdout = '';
  let timedOut = false;
  const keep = (text: string): void => {
    output = (output + text).slice(-OUTPUT_BYTES_MAX);
    onOutput?.(text);
  };
  if (options.stdout === undefined) {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (options.keepsStdout === true) stdout += text;
      keep(text);
    });
  } else pipeline(child.stdout, options.stdout, () => null);
  child.stderr.setEncoding('utf8').on('data', keep);
  let grace: NodeJS.Timeout | undefined;
  let hasExited = false;
  /** Of who was told to end; a daemon that it has started in a group of its own may hold its output for ever. */
  const letGo = (): void => {
    if (!hasExited || grace === undefined) return;
    child.stdout.destroy();
    child.stderr.destroy();
  };
  const onAbort = (): void => {
    signalGroup(child, 'SIGTERM');
    grace ??= setTimeout(() => signalGroup(child, 'SIGKILL'), GRACE_MS);
    letGo();
  };
  signal?.addEventListener('abort', onAbort);
  const timer = setTimeout(() => {
    timedOut = true;
    onAbort();
  }, options.timeoutMs);
  const settle = (): void => {
    running.delete(child);
    clearTimeout(timer);
    // What is left of a group that was told to end, also where its leader has.
    if (grace !== undefined) signalGroup(child, 'SIGKILL');
    clearTimeout(grace);
    signal?.removeEventListener('abort', onAbort);
  };
  child.once('error', (error) => {
    settle();
    reject(error);
  });
  child.once('exit', () => {
    hasExited = true;
    letGo();
  });
  child.once('close', (exitCode) => {
    settle();
    if (signal?.aborted === true) reject(new MidflightError('ERR_MIDFLIGHT_BUILD_ABORTED', []));
    else resolve({ exitCode, timedOut, output: output.trimEnd(), stdout });
  });
  return promise;
}

/** The whole group: a package manager's children outlive it otherwise. */
function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // It has ended by itself.
  }
}
