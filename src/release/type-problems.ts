/** What a TypeScript compiler prints, read; and where a project has its compiler. */

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

export interface CompilerProblem {
  /** As the compiler names it. */
  readonly path: string;
  readonly line: number;
  readonly column: number;
  /** `TS2322: …`, with the lines that go on. */
  readonly message: string;
}

/** Reads what `tsc --pretty false` prints: `src/a.ts(3,5): error TS2322: …`, and indented lines that go on. */
export function readCompilerOutput(output: string): readonly CompilerProblem[] {
  const matches = output.matchAll(/^(\S.*?)\((\d+),(\d+)\): error (TS\d+: .*(?:\n[ \t]+.*)*)/gm);
  return [...matches].map(([, at = '', line = '', column = '', message = '']) => ({
    path: at,
    line: Number(line),
    column: Number(column),
    message,
  }));
}

/** The file that is `tsc`, of the TypeScript that a tree finds as Node would; null without one. */
export function findCompiler(root: string): string | null {
  try {
    const description = createRequire(path.join(root, 'package.json')).resolve('typescript/package.json');
    const file = path.join(path.dirname(description), 'bin', 'tsc');
    return existsSync(file) ? file : null;
  } catch {
    // None is installed.
    return null;
  }
}

/** True for a source that has types. */
export function isTyped(file: string): boolean {
  return /\.(?:ts|mts|cts|tsx)$/.test(file);
}
