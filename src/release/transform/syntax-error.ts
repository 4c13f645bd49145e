/** Syntax errors with the place and the lines around it. */

import { MidflightError } from '../../errors.ts';

/** The part of oxc's errors that is used. */
export interface OxcProblem {
  readonly message: string;
  readonly labels: readonly { readonly start: number }[];
  readonly codeframe: string | null;
}

/** An error of oxc as ours. */
export function toSyntaxError(path: string, source: string, problem: OxcProblem): MidflightError {
  const { line, column } = positionAt(source, problem.labels[0]?.start ?? 0);
  const text =
    problem.codeframe === null ? problem.message : `${problem.message}\n${problem.codeframe.trimEnd()}`;
  return new MidflightError('ERR_MIDFLIGHT_SYNTAX', [path, line, column, text]);
}

export interface SyntaxProblem {
  readonly path: string;
  readonly source: string;
  readonly offset: number;
  readonly problem: string;
}

/** An error of our own at a place in a source. */
export function syntaxError({ path, source, offset, problem }: SyntaxProblem): MidflightError {
  const { line, column } = positionAt(source, offset);
  const text = source.split('\n')[line - 1] ?? '';
  return new MidflightError('ERR_MIDFLIGHT_SYNTAX', [path, line, column, `${problem}\n ${line} | ${text}`]);
}

/** Line and column, both from 1. */
export function positionAt(source: string, offset: number): { line: number; column: number } {
  const before = source.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: offset - lineStart + 1 };
}
