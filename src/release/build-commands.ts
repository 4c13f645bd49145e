/** The commands that a build consists of: each in a clean environment, with its output kept and its progress told. */

import { toBuildEnvironment, type BuildEnvironmentOptions } from './build-environment.ts';
import { createBuildLog } from './build-log.ts';
import type { BuildStep } from './build.ts';
import { runCommand } from './command.ts';
import { redactCredentials } from './git.ts';

/** Of an error; the whole is in the log. */
const LINES_MAX = 60;
/** What is quick needs no word, and what prints much has no more than this. */
const QUIET_MS = 2_000;

export interface BuildCommandsOptions {
  readonly logs: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((step: BuildStep, message: string) => void) | undefined;
}

export interface BuildCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly shell?: boolean;
  readonly cwd: string;
  readonly timeoutMs: number;
  readonly environment: BuildEnvironmentOptions;
  readonly variables?: NodeJS.ProcessEnv | undefined;
}

export interface BuildCommands {
  /** Says at which message a step is, but not more often than a person can read. */
  tell(step: BuildStep, message: string): void;
  /** `problem` is null where it ended well, else the last lines that it printed and where the others are.
   *  Errors: those of starting it; ERR_MIDFLIGHT_BUILD_ABORTED. */
  run(step: BuildStep, command: BuildCommand): Promise<{ readonly problem: string | null }>;
}

export function createBuildCommands({ logs, signal, onProgress }: BuildCommandsOptions): BuildCommands {
  const log = createBuildLog(logs);
  let toldAt = performance.now();
  const tell = (step: BuildStep, message: string): void => {
    if (message === '' || performance.now() - toldAt < QUIET_MS) return;
    toldAt = performance.now();
    onProgress?.(step, message);
  };
  return {
    tell,
    async run(step, { command, args, environment, variables, ...options }) {
      const env = { ...toBuildEnvironment(process.env, environment), ...variables };
      log.begin([command, ...args].join(' '));
      const onOutput = (output: string): void => {
        const chunk = redactCredentials(output);
        log.write(chunk);
        tell(
          step,
          chunk
            .trimEnd()
            .split(/[\r\n]/)
            .at(-1)
            ?.trim() ?? '',
        );
      };
      const result = await runCommand(command, args, { ...options, env, signal, onOutput });
      if (result.exitCode === 0) return { problem: null };
      const ending = result.timedOut ? `no end after ${options.timeoutMs} ms\n` : '';
      return { problem: `${ending}${redactCredentials(toLastLines(result.output))}${toHint(log.name())}` };
    },
  };
}

function toLastLines(output: string): string {
  return output.split('\n').slice(-LINES_MAX).join('\n');
}

function toHint(name: string | null): string {
  return name === null ? '' : `\nThe whole output is in ${name}`;
}
