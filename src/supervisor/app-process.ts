/** What every process that serves the app has in common, Node or not: output, exit, the way it is ended. */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { WriteStream } from 'node:fs';
import type { ReleaseLocation } from '../protocol/messages.ts';
import type { Manifest } from '../protocol/manifest.ts';

/** Enough for an error with its stack. */
const OUTPUT_BYTES_MAX = 16 * 1024;
/** A process that has been asked to end and has nothing in flight needs no longer. */
export const STOP_TIMEOUT_MS = 5_000;

/** A release that can be run. */
export interface RunnableRelease {
  readonly manifest: Manifest;
  readonly location: ReleaseLocation;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface AppProcess {
  readonly pid: number;
  readonly child: ChildProcess;
  /** Resolves when the process has ended, however. */
  readonly exited: Promise<ProcessExit>;
  hasExited(): boolean;
  /** The last of what it printed. */
  output(): string;
  /** SIGTERM, then SIGKILL after `timeoutMs`. */
  end(timeoutMs: number): Promise<ProcessExit>;
}

/** Wraps a child that has just been spawned; `sink` gets all that it prints. */
export function toAppProcess(
  child: ChildProcess,
  sinks: readonly (WriteStream | NodeJS.WriteStream)[],
): AppProcess {
  let output = '';
  let exit: ProcessExit | null = null;
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-OUTPUT_BYTES_MAX);
    for (const sink of sinks) sink.write(chunk);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  const exited = waitForExit(child).then((ended) => (exit = ended));
  return {
    pid: child.pid ?? -1,
    child,
    exited,
    hasExited: () => exit !== null,
    output: () => output.trimEnd(),
    async end(timeoutMs) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
      try {
        return await exited;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

async function waitForExit(child: ChildProcess): Promise<ProcessExit> {
  try {
    // `close`, not `exit`: by then everything that it printed has been read.
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    return { code, signal };
  } catch {
    // It could not be spawned at all.
    return { code: 127, signal: null };
  }
}

/** `exit code 1` or `signal SIGKILL`. */
export function describeExit({ code, signal }: ProcessExit): string {
  return signal === null ? `exit code ${code}` : `signal ${signal}`;
}
