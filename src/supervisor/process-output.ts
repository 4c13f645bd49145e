/**
 * Where what a process prints goes. With a log file, its stdout and stderr are a socket whose reader is a `tee` of its own:
 * that appends to the file and passes on to this process, and goes on doing the first when this process is killed, so that
 * a program that prints is not ended by SIGPIPE then. Without one, they are read here, and end with this process.
 */

import { spawn, spawnSync, type ChildProcess, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';

/** Enough for an error with its stack. */
const OUTPUT_BYTES_MAX = 16 * 1024;

export interface ProcessOutput {
  /** Of stdout and stderr, for `spawn`. */
  readonly stdio: readonly ['pipe', 'pipe'] | readonly [number, number];
  /** Reads what the process prints from now on. */
  read(child: ChildProcess): void;
  tail(): string;
  /** Resolves when all has been read; a child of the process may hold it open. */
  ended(): Promise<void>;
}

export interface Sink {
  write(chunk: Uint8Array): unknown;
}

/** One for each process. */
export function openProcessOutput(sinks: readonly Sink[], logFile?: string): ProcessOutput {
  let tail = '';
  const ends: Promise<unknown>[] = [];
  const keep = (stream: Readable | null): void => {
    if (stream === null) return;
    ends.push(once(stream, 'close').catch(() => null));
    stream.on('data', (chunk: Buffer) => {
      tail = (tail + chunk.toString()).slice(-OUTPUT_BYTES_MAX);
      for (const sink of sinks) sink.write(chunk);
    });
  };
  const tee = logFile === undefined ? null : openTee(logFile);
  return {
    stdio: tee?.stdio ?? ['pipe', 'pipe'],
    read(child) {
      // The process has its own copy now, and the end of the last copy is the end of the output.
      tee?.child.stdin?.destroy();
      for (const stream of tee === null ? [child.stdout, child.stderr] : [tee.child.stdout]) keep(stream);
    },
    tail: () => tail.trimEnd(),
    async ended() {
      await Promise.all(ends);
    },
  };
}

interface Tee {
  readonly child: ChildProcess;
  readonly stdio: readonly [number, number];
}

function openTee(logFile: string): Tee | null {
  if (!hasTee()) return null;
  // Ignored by tee, SIGPIPE makes a reader that has gone an error of one of its outputs.
  const child = spawn('sh', ['-c', 'trap "" PIPE; exec tee -a "$0"', logFile], {
    stdio: ['pipe', 'pipe', 'ignore'] satisfies StdioOptions,
    detached: true,
  });
  child.once('error', () => {
    // Then it has no descriptor either.
  });
  // libuv makes what a child gets as 1 and 2 blocking again, as programs expect it.
  const fd = (child.stdin as unknown as { readonly _handle?: { readonly fd: number } } | null)?._handle?.fd;
  return fd === undefined || fd < 0 ? null : { child, stdio: [fd, fd] };
}

let isTeeThere: boolean | null = null;

/** Small images may have none. */
function hasTee(): boolean {
  isTeeThere ??= spawnSync('tee', [], { input: '', stdio: ['pipe', 'ignore', 'ignore'] }).status === 0;
  return isTeeThere;
}
