/**
 * Processes whose keeper has been killed. They serve on, until the next keeper needs their addresses: then it asks the
 * Node ones over the socket that each of them has opened, and the others by SIGTERM, to stop accepting and to end what is
 * in flight. The next keeper knows them by a file that the one before has kept.
 */

import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { toOrphanSocket } from '../protocol/orphan.ts';

export interface OrphanFile {
  write(processes: readonly { readonly pid: number; readonly isNode: boolean }[]): void;
}

export interface Orphan {
  readonly pid: number;
  readonly isNode: boolean;
  /** When it was started, in the kernel's ticks since boot: another process with the same number has another. */
  readonly startTime: string;
}

/** What still runs then is killed. */
const LEAVE_TIMEOUT_MS = 30_000;
/** An orphan has noticed within this time that it is one, and then answers at once. */
const ANSWER_TIMEOUT_MS = 2_000;
const POLL_MS = 5;

/** Writes whole versions of the file only. Those that another keeper has left stay in it until they have ended. */
export function createOrphanFile(file: string, left: readonly Orphan[]): OrphanFile {
  return {
    write(processes) {
      const own = processes.map(({ pid, isNode }): Orphan => ({
        pid,
        isNode,
        startTime: startTimeOf(pid) ?? '',
      }));
      const orphans = [...own, ...left.filter(isRunning)];
      writeFileSync(`${file}.new`, JSON.stringify(orphans));
      renameSync(`${file}.new`, file);
    },
  };
}

/** Those of the file that still run. */
export function findOrphans(file: string): Orphan[] {
  return readOrphans(file).filter(isRunning);
}

function readOrphans(file: string): Orphan[] {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Orphan[];
  } catch {
    // No keeper has been here yet.
    return [];
  }
}

/** Removes the sockets of those that have ended: by which orphans are told to leave, and by which states are received. */
export function removeDeadSockets(directory: string): void {
  for (const name of readdirSync(directory)) {
    const pid = /^(?:state-)?(\d+)\.sock$/.exec(name)?.[1];
    if (pid !== undefined && startTimeOf(Number(pid)) === null)
      rmSync(path.join(directory, name), { force: true });
  }
}

/** Resolves when none of them accepts any more, or has not answered in time; they end in the background. */
export async function dismissOrphans(directory: string, orphans: readonly Orphan[]): Promise<void> {
  await Promise.all(orphans.map(async (orphan) => dismiss(directory, orphan)));
}

async function dismiss(directory: string, orphan: Orphan): Promise<void> {
  void killLater(orphan);
  if (orphan.isNode && (await askToLeave(directory, orphan))) return;
  signal(orphan, 'SIGTERM');
}

/** True when it has stopped accepting. */
async function askToLeave(directory: string, orphan: Orphan): Promise<boolean> {
  const deadline = performance.now() + ANSWER_TIMEOUT_MS;
  while (performance.now() < deadline && isRunning(orphan)) {
    const socket = createConnection(toOrphanSocket(directory, orphan.pid));
    try {
      await once(socket, 'connect');
      socket.end(`${JSON.stringify({ leave: { timeoutMs: LEAVE_TIMEOUT_MS } })}\n`);
      await once(socket, 'data', { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
      return true;
    } catch {
      // It has not opened its socket yet, or has ended meanwhile.
      await sleep(POLL_MS);
    } finally {
      socket.destroy();
    }
  }
  return !isRunning(orphan);
}

async function killLater(orphan: Orphan): Promise<void> {
  await sleep(LEAVE_TIMEOUT_MS + 1_000, null, { ref: false });
  signal(orphan, 'SIGKILL');
}

function signal(orphan: Orphan, name: NodeJS.Signals): void {
  if (!isRunning(orphan)) return;
  try {
    // A program leads a group; what it has started ends with it.
    process.kill(name === 'SIGKILL' && !orphan.isNode ? -orphan.pid : orphan.pid, name);
  } catch {
    // It has ended between the look and the signal.
  }
}

function isRunning({ pid, startTime }: Orphan): boolean {
  return startTimeOf(pid) === startTime;
}

/** Null where there is no such process, or only what is left of one. proc(5): the fields after the name in parentheses. */
function startTimeOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}
