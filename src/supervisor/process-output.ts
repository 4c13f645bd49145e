/**
 * Where what a process prints goes: it is read here, for the sinks and the log of the app. With a log, a small shell holds copies of
 * what is read from, and does nothing until this process has ended unasked: then it starts `orphan-output.ts`, which reads on into
 * the same log, so that a program that prints is not ended by SIGPIPE. Without a log the output ends with this process.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { Readable } from 'node:stream';
import type { AppLog } from './app-log.ts';

/** Enough for an error with its stack. */
const OUTPUT_BYTES_MAX = 16 * 1024;

export interface ProcessOutput {
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
export function openProcessOutput(sinks: readonly Sink[], log?: AppLog): ProcessOutput {
  let tail = '';
  let ends: readonly Promise<unknown>[] = [];
  const keep = async (stream: Readable): Promise<void> => {
    const lines = log?.openStream();
    stream.on('data', (chunk: Buffer) => {
      tail = (tail + chunk.toString()).slice(-OUTPUT_BYTES_MAX);
      lines?.write(chunk);
      for (const sink of sinks) sink.write(chunk);
    });
    await once(stream, 'close').catch(() => null);
    lines?.end();
  };
  return {
    read(child) {
      const streams = [child.stdout, child.stderr].filter((stream) => stream !== null);
      ends = streams.map(keep);
      if (log === undefined || child.pid === undefined) return;
      const outlive = spawnReader(streams, log.file);
      void Promise.all(ends).then(() => outlive.kill('SIGKILL'));
    },
    tail: () => tail.trimEnd(),
    async ended() {
      await Promise.all(ends);
    },
  };
}

/**
 * Its own input ends with this process. Where Node or the reader are not there any more, what is printed is dropped: the
 * descriptors do not block, and `cat` fails where there is nothing to read.
 */
const outlivingScript =
  'read -r _; "$0" "$@"; until cat <&3 && cat <&4; do sleep 1; done >/dev/null 2>&1 </dev/null';

const readerFile = path.join(import.meta.dirname, `orphan-output${path.extname(import.meta.filename)}`);

function spawnReader(streams: readonly Readable[], logFile: string): ChildProcess {
  const child = spawn('sh', ['-c', outlivingScript, process.execPath, readerFile, logFile], {
    // libuv makes no more than 0 to 2 blocking: the descriptors are shared with this process.
    stdio: ['pipe', 'ignore', 'ignore', ...streams.map(toDescriptor)],
    detached: true,
  });
  child.once('error', () => {
    // Small images may have no shell: then the output ends with this process.
  });
  child.stdin?.on('error', () => {
    // It has ended.
  });
  return child;
}

function toDescriptor(stream: Readable): number {
  return (stream as unknown as { readonly _handle: { readonly fd: number } })._handle.fd;
}
