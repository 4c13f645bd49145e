/** How much memory workers have, seen from outside: one that has hung can't be asked. */

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const BYTES_PER_KIB = 1_024;
const BYTES_PER_MIB = 1_048_576;
const CHECK_INTERVAL_MS = 1_000;
/** Fresh processes that outgrow the limit at once show that it is too low: they are not replaced over and over. */
const RELIEF_INTERVAL_MS_MIN = 60_000;

export interface Watched {
  readonly generation: number;
  readonly pids: readonly number[];
  /** Null without a limit. */
  readonly maxRssMib: number | null;
}

export interface MemoryWatchOptions {
  /** What serves; null while nothing does. */
  current(): Watched | null;
  rssBytesOf(pid: number): Promise<number | null>;
  now(): number;
  onOutgrown(message: string, generation: number): void;
}

/** Looks every second until it is disposed of. Tells of a generation again and again, as who is told may be busy. */
export function watchMemory(options: MemoryWatchOptions): { check(): Promise<void>; dispose(): void } {
  let told: { readonly generation: number; readonly atMs: number } | null = null;

  async function check(): Promise<void> {
    const watched = options.current();
    if (watched === null || watched.maxRssMib === null) return;
    const { generation, pids, maxRssMib } = watched;
    const isNextTooSoon =
      told !== null && told.generation !== generation && options.now() - told.atMs < RELIEF_INTERVAL_MS_MIN;
    if (isNextTooSoon) return;
    for (const pid of pids) {
      const rssMib = Math.round(((await options.rssBytesOf(pid)) ?? 0) / BYTES_PER_MIB);
      if (rssMib <= maxRssMib) continue;
      told = { generation, atMs: options.now() };
      const message = `worker ${pid} has ${rssMib} MiB in memory, more than policy.maxRssMib (${maxRssMib}) allows`;
      options.onOutgrown(message, generation);
      return;
    }
  }

  const timer = setInterval(() => void check(), CHECK_INTERVAL_MS).unref();
  return { check, dispose: () => clearInterval(timer) };
}

/** Resident memory of a process: proc(5), or ps where there is no /proc. Null when it has ended. */
export async function readRssBytes(pid: number): Promise<number | null> {
  try {
    const kib = /^VmRSS:\s+(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kib === undefined ? null : Number(kib) * BYTES_PER_KIB;
  } catch {
    return readRssBytesByPs(pid);
  }
}

async function readRssBytesByPs(pid: number): Promise<number | null> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(pid)]);
    return Number(stdout) * BYTES_PER_KIB;
  } catch {
    // It has ended, or there is no ps either.
    return null;
  }
}
