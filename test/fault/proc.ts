/** What the kernel says of processes (proc(5)). */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 2;

/** `null` where it has ended; `Z` only waits for its parent. */
export function stateOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
  } catch {
    return null;
  }
}

export function isAlive(pid: number): boolean {
  const state = stateOf(pid);
  return state !== null && state !== 'Z';
}

/** Kills it, and returns the ports of the clients whose connections it held; null where it has ended by itself before. Nothing of
 *  it runs between the look and the end. */
export async function killHolding(pid: number, serverPort: number): Promise<ReadonlySet<number> | null> {
  if (!signal(pid, 'SIGSTOP')) return null;
  while (stateOf(pid) !== 'T' && isAlive(pid)) await sleep(POLL_MS);
  if (!isAlive(pid)) return null;
  const held = clientPortsOf(pid, serverPort);
  signal(pid, 'SIGKILL');
  while (isAlive(pid)) await sleep(POLL_MS);
  return held;
}

function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    // It has ended.
    return false;
  }
}

function clientPortsOf(pid: number, serverPort: number): ReadonlySet<number> {
  const inodes = new Set(linksOf(pid).map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1]));
  const rows = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
  const held = rows.map((row) => row.trim().split(/\s+/)).filter((fields) => inodes.has(fields[9]));
  const toPort = (address = ''): number => Number.parseInt(address.split(':')[1] ?? '', 16);
  return new Set(
    held.filter(([, local]) => toPort(local) === serverPort).map(([, , remote]) => toPort(remote)),
  );
}

function linksOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`));
}

/** Those that work in a directory, by their command lines. */
export function processesIn(directory: string): ReadonlyMap<number, string> {
  const pids = readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && isAlive(pid));
  return new Map(
    pids
      .filter((pid) => linkOf(`/proc/${pid}/cwd`) === directory)
      .map((pid) => [pid, commandLineOf(pid)] as const)
      .filter(([, commandLine]) => commandLine !== ''),
  );
}

/** Empty where it has ended. */
function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** What a small parent in Perl has started; else the process itself. */
export function programOf(pid: number): number {
  try {
    if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('perl\0-e\0')) return pid;
    const [child = ''] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
    return Number(child) || pid;
  } catch {
    // It has ended.
    return pid;
  }
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    // It has been closed, or its process has ended.
    return '';
  }
}
