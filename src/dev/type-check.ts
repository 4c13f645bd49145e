/**
 * The project's own type check, in the background: after a swap, never in its way. Owns the one check that runs, and what
 * the last one has found.
 */

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { runCommand } from '../release/command.ts';
import { findCompiler, readCompilerOutput } from '../release/type-problems.ts';
import type { Say, TypeProblem } from './dev-notice.ts';

/** Saves come in bursts, and the processor is the app's first. */
const QUIET_MS = 150;
const TIMEOUT_MS = 300_000;
/** Lines shown before and after the one that is at fault. */
const FRAME_LINES = 1;

export interface TypeCheck {
  /** What is asked for while a check runs is one more check after it. */
  check(): void;
  stop(): void;
}

export interface TypeCheckOptions {
  readonly root: string;
  readonly say: Say;
  chainsTo(paths: readonly string[]): Promise<readonly (readonly string[])[]>;
}

/** The check of a tree; null where there is no tsconfig.json, or no TypeScript in node_modules. */
export function createTypeCheck({ root, say, chainsTo }: TypeCheckOptions): TypeCheck | null {
  const found = findCompiler(root);
  if (found === null || !existsSync(path.join(root, 'tsconfig.json'))) return null;
  const compiler = found;
  let status: 'idle' | 'waiting' | 'checking' | 'checking, and once more' | 'stopped' = 'idle';
  let timer: NodeJS.Timeout | undefined;
  let said = '';

  function report(errors: readonly TypeProblem[]): void {
    const text = errors.length === 0 ? '' : JSON.stringify(errors);
    if (text === said) return;
    said = text;
    say(errors.length === 0 ? { type: 'types-right' } : { type: 'types', errors });
  }

  async function run(): Promise<void> {
    status = 'checking';
    const problems = await findTypeProblems(root, compiler).catch((error: Error) => {
      say({ type: 'log', message: `types could not be checked: ${error.message}` });
      return [];
    });
    const chains = await chainsTo(problems.map((problem) => problem.path));
    const errors = problems.map((problem, index) => ({ ...problem, importChain: chains[index] ?? [] }));
    if (isStopped()) return;
    const isOnceMore = (status as string) === 'checking, and once more';
    status = 'idle';
    // What was found is of files that were changed meanwhile.
    if (isOnceMore) check();
    else report(errors);
  }

  function isStopped(): boolean {
    return status === 'stopped';
  }

  function check(): void {
    if (status === 'stopped') return;
    if (status === 'checking' || status === 'checking, and once more') {
      status = 'checking, and once more';
      return;
    }
    clearTimeout(timer);
    status = 'waiting';
    timer = setTimeout(() => void run(), QUIET_MS);
  }

  return {
    check,
    stop() {
      status = 'stopped';
      clearTimeout(timer);
    },
  };
}

type PlacedProblem = Omit<TypeProblem, 'importChain'>;

async function findTypeProblems(root: string, compiler: string): Promise<readonly PlacedProblem[]> {
  const buildInfo = path.join(root, '.midflight', 'cache', 'types.tsbuildinfo');
  const options = ['--noEmit', '--incremental', '--tsBuildInfoFile', buildInfo, '--pretty', 'false'];
  const { exitCode, output, timedOut } = await runCommand(process.execPath, [compiler, ...options], {
    cwd: root,
    timeoutMs: TIMEOUT_MS,
  });
  const problems = parseTypeProblems(output, (at) => readLines(path.join(root, at)));
  if (exitCode === 0 || problems.length > 0) return problems;
  throw new Error(timedOut ? `no end after ${TIMEOUT_MS} ms` : output);
}

/** Reads what `tsc --pretty false` prints, with the lines around. */
export function parseTypeProblems(
  output: string,
  linesOf: (path: string) => readonly string[],
): PlacedProblem[] {
  return readCompilerOutput(output).map((problem) => ({
    ...problem,
    frame: toFrame(linesOf(problem.path), problem.line, problem.column),
  }));
}

function toFrame(lines: readonly string[], line: number, column: number): string {
  const from = Math.max(1, line - FRAME_LINES);
  const width = String(line + FRAME_LINES).length;
  return lines
    .slice(from - 1, line + FRAME_LINES)
    .flatMap((text, index) => {
      const shown = ` ${String(from + index).padStart(width)} | ${text}`;
      const mark = ` ${' '.repeat(width)} | ${' '.repeat(column - 1)}^`;
      return from + index === line ? [shown, mark] : [shown];
    })
    .join('\n');
}

function readLines(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8').split(/\r?\n/);
  } catch {
    // Gone since.
    return [];
  }
}
