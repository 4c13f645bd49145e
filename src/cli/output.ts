/** How the command line speaks: results on standard output, everything else on standard error. */

import { styleText } from 'node:util';
import { toFailure, type Failure } from '../errors.ts';
import { toVisible } from './visible-text.ts';

export type Style = 'green' | 'red' | 'yellow' | 'cyan' | 'dim' | 'bold';

/** Colour only where a person reads. */
export function paint(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

export function print(text: string): void {
  process.stdout.write(`${toVisible(text)}\n`);
}

/** A line of `midflight start`, with the time. */
export function logLine(message: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 23)} midflight ${toVisible(message)}\n`);
}

/** The same for a program that reads it. */
export function logJson(message: string): void {
  process.stderr.write(`${JSON.stringify({ at: new Date().toISOString(), message })}\n`);
}

/** Says what failed and sets the exit code. */
export function reportFailure(error: unknown, isJson: boolean): void {
  printFailure(toFailure(error), isJson);
}

/** What a supervisor has answered. */
export function printFailure(failure: Failure, isJson: boolean): void {
  if (isJson) printJson({ error: failure });
  else process.stderr.write(`midflight: ${failure.code}\n${toVisible(failure.message)}\n`);
  process.exitCode = failure.exitCode;
}

/** `12 ms`, `3.4 s`. */
export function toDurationText(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** Who read the output may go, or the terminal: that is no reason to end what serves. */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.removeAllListeners('error');
    stream.on('error', () => {});
  }
}
