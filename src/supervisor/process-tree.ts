/** What /proc tells of a process and of all that it has started: who they are, and which sockets they hold and wait on. Empty where
 *  there is no /proc, and silent about processes that this one may not look at. */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

interface ProcessLine {
  readonly pid: number;
  readonly parentPid: number;
  readonly sessionId: number;
}

/** The process, its descendants, and who else is in its session: a child whose parent has ended is still of it. */
export function listProcessTree(root: number): readonly number[] {
  const lines = listProcesses();
  const tree = new Set([root]);
  for (let sizeBefore = 0; sizeBefore !== tree.size;) {
    sizeBefore = tree.size;
    for (const { pid, parentPid, sessionId } of lines)
      if (sessionId === root || tree.has(parentPid)) tree.add(pid);
  }
  return [...tree];
}

/** The first process that it has started and that is still there; null when there is none. */
export function findChild(parent: number): number | null {
  return listProcesses().find(({ parentPid }) => parentPid === parent)?.pid ?? null;
}

/** By inode, of each descriptor of the process that is a socket. */
export function listSockets(pid: number): ReadonlyMap<string, string> {
  const sockets = new Map<string, string>();
  for (const fd of listDescriptors(pid)) {
    const inode = /^socket:\[(\d+)\]$/.exec(linkOf(pid, fd))?.[1];
    if (inode !== undefined) sockets.set(fd, inode);
  }
  return sockets;
}

/** True when an epoll instance of the process watches one of these sockets: proc(5), fdinfo of eventpoll. */
export function isPolling(pid: number, inodes: ReadonlySet<string>): boolean {
  const sockets = listSockets(pid);
  return listDescriptors(pid)
    .filter((fd) => linkOf(pid, fd) === 'anon_inode:[eventpoll]')
    .some((fd) => watchedBy(pid, fd).some((watched) => inodes.has(sockets.get(watched) ?? '')));
}

function listProcesses(): ProcessLine[] {
  return readable(() => readdirSync('/proc'), [])
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      const stat = readable(() => readFileSync(`/proc/${name}/stat`, 'utf8'), '');
      // The name of the program is in parentheses, and may have any character: proc(5).
      const [, parentPid, , sessionId] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return { pid: Number(name), parentPid: Number(parentPid), sessionId: Number(sessionId) };
    });
}

function listDescriptors(pid: number): readonly string[] {
  return readable(() => readdirSync(`/proc/${pid}/fd`), []);
}

function linkOf(pid: number, fd: string): string {
  return readable(() => readlinkSync(`/proc/${pid}/fd/${fd}`), '');
}

function watchedBy(pid: number, fd: string): string[] {
  const text = readable(() => readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'), '');
  return [...text.matchAll(/^tfd:\s*(\d+)/gm)].map(([, watched = '']) => watched);
}

/** Processes end and descriptors are closed while one looks. */
function readable<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
