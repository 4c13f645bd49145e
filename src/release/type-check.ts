/** The project's own type check, run in the release's tree before anything is applied. */

import { copyFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { MidflightError } from '../errors.ts';
import { toBuildEnvironment } from './build-environment.ts';
import { runCommand, type CommandOptions, type CommandResult } from './command.ts';
import { redactCredentials } from './git.ts';
import { findCompiler, readCompilerOutput } from './type-problems.ts';

export interface TypeCheckOptions {
  readonly tree: string;
  /** The app's own folder in the tree. */
  readonly root: string;
  /** A shell command, or `true` for `tsc --noEmit`. */
  readonly typecheck: string | true;
  readonly timeoutMs: number;
  /** Variables that it gets besides those of a build. */
  readonly names: readonly string[];
  readonly signal?: AbortSignal | undefined;
  /** What the compiler knows of the check before is kept there. */
  readonly cacheDirectory: string;
}

/** As many as a person mends at once. */
const ERRORS_SHOWN_MAX = 5;
const LINES_SHOWN_MAX = 20;
const buildInfo = 'types.tsbuildinfo';
const quiet = { NO_COLOR: '1', FORCE_COLOR: '0', TERM: 'dumb' };

/** Null where the types are right; else ERR_MIDFLIGHT_TYPES_WRONG with what the check has found first. */
export async function checkTypes(options: TypeCheckOptions): Promise<MidflightError | null> {
  const { typecheck, timeoutMs } = options;
  const shown = typecheck === true ? 'tsc --noEmit' : typecheck;
  const result = typecheck === true ? await runCompiler(options) : await runOwn(typecheck, options);
  if (result === null) {
    const why = 'no TypeScript is installed; add "typescript" to the dependencies, or name a command';
    return new MidflightError('ERR_MIDFLIGHT_TYPES_WRONG', [shown, why]);
  }
  if (result.exitCode === 0) return null;
  const what = result.timedOut ? `no end after ${timeoutMs} ms` : toFirstErrors(result);
  return new MidflightError('ERR_MIDFLIGHT_TYPES_WRONG', [shown, what]);
}

async function runOwn(command: string, options: TypeCheckOptions): Promise<CommandResult> {
  return runCommand(command, [], { ...toCommandOptions(options), shell: true });
}

function toCommandOptions({ tree, root, timeoutMs, names, signal }: TypeCheckOptions): CommandOptions {
  const binaries = [...new Set([root, tree])].map((folder) => path.join(folder, 'node_modules', '.bin'));
  const env = { ...toBuildEnvironment(process.env, { names, binaries }), ...quiet };
  return { cwd: root, timeoutMs, env, signal, keepsStdout: true };
}

/** Incremental: the file of the check before lies beside the tree meanwhile, as the paths in it are relative to it. */
async function runCompiler(options: TypeCheckOptions): Promise<CommandResult | null> {
  const { tree, root, cacheDirectory } = options;
  const compiler = findCompiler(root);
  if (compiler === null) return null;
  const known = path.join(path.dirname(tree), buildInfo);
  const kept = path.join(cacheDirectory, buildInfo);
  await copyFile(kept, known).catch(ignoreMissing);
  const args = ['--noEmit', '--incremental', '--tsBuildInfoFile', known, '--pretty', 'false'];
  const result = await runCommand(process.execPath, [compiler, ...args], toCommandOptions(options));
  await rename(known, kept).catch(ignoreMissing);
  return result;
}

/** There was no check before, or it wrote nothing: the next one takes longer. */
function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

function toFirstErrors({ stdout, output, exitCode }: CommandResult): string {
  const text = redactCredentials(stripVTControlCharacters(stdout === '' ? output : stdout)).trim();
  const problems = readCompilerOutput(text);
  if (problems.length === 0)
    return text === '' ? `exit code ${exitCode}` : text.split('\n').slice(0, LINES_SHOWN_MAX).join('\n');
  const shown = problems
    .slice(0, ERRORS_SHOWN_MAX)
    .map(({ path: at, line, column, message }) => `${at}:${line}:${column} ${message}`);
  const more = problems.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join('\n');
}
