/** Listening sockets that a service manager passes to `midflight start`, by sd_listen_fds(3): from descriptor 3 on. */

import { fstatSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import path from 'node:path';
import type { ListenTarget } from '../protocol/messages.ts';
import { lookup, type ListenerHandle } from '../runtime/servers/listener-source.ts';
import { internalNet } from '../runtime/servers/node-internals.ts';
import type { ServiceEnvironment } from './service-environment.ts';

const FD_START = 3;
/** More than systemd lets a unit keep. */
const FD_COUNT_MAX = 4_096;
/** Of an address in the abstract namespace, in /proc/net/unix and at the command line; the kernel has a NUL there. */
const ABSTRACT = '@';

export interface InheritedSocket {
  readonly target: ListenTarget;
  readonly handle: ListenerHandle;
}

/** Opens what is passed to this very process; what can't be listened on is logged and left alone. */
export function openInheritedSockets(
  { listenFds, listenPid, listenFdNames }: ServiceEnvironment,
  log: (message: string) => void,
): readonly InheritedSocket[] {
  if (listenFds === null) return [];
  if (Number(listenPid) !== process.pid) {
    log(
      `LISTEN_FDS is not for this process: LISTEN_PID is ${listenPid ?? 'not set'}, this is ${process.pid}. A wrapper such as "npm start" keeps the sockets to itself: let the service manager run midflight itself`,
    );
    return [];
  }
  const count = Number(listenFds);
  if (!Number.isInteger(count) || count < 0 || count > FD_COUNT_MAX) {
    log(`LISTEN_FDS=${listenFds} is ignored: it is no number from 0 to ${FD_COUNT_MAX}`);
    return [];
  }
  const names = listenFdNames?.split(':') ?? [];
  return Array.from({ length: count }, (_, index) => open(FD_START + index, names[index], log)).filter(
    (socket) => socket !== null,
  );
}

function open(fd: number, name: string | undefined, log: (message: string) => void): InheritedSocket | null {
  try {
    const handle = internalNet._createServerHandle(null, 0, -1, fd);
    if (typeof handle === 'number') throw new Error('it is no TCP or Unix stream socket');
    return { handle, target: toTarget(fd, handle) };
  } catch (error) {
    const label = name === undefined ? `descriptor ${fd}` : `descriptor ${fd} (${name})`;
    log(`${label} was passed in and can't be listened on: ${error instanceof Error ? error.message : ''}`);
    return null;
  }
}

function toTarget(fd: number, handle: ListenerHandle): ListenTarget {
  const name: { address?: string; port?: number } = {};
  if (handle.getsockname === undefined) return { kind: 'unix', path: findUnixPath(fd) };
  handle.getsockname(name);
  if (handle.getpeername?.({}) === 0) throw new Error('it is a connection (Accept=yes)');
  if (name.address === undefined || name.port === undefined) throw new Error('it is not bound');
  return { kind: 'tcp', host: name.address, port: name.port, ordinal: 0 };
}

/** Node does not tell where a Unix socket is bound: proc(5), /proc/net/unix, by inode. */
function findUnixPath(fd: number): string {
  const { ino } = fstatSync(fd);
  const line = /^\S+: \S+ \S+ (\S+) \S+ \S+ +(\d+) (.*)$/;
  for (const text of readFileSync('/proc/self/net/unix', 'utf8').split('\n')) {
    const [, flags, inode, found = ''] = line.exec(text) ?? [];
    if (inode !== String(ino)) continue;
    if (flags !== ACCEPTS) throw new Error('it is a connection (Accept=yes)');
    return found.startsWith(ABSTRACT) ? `\0${found.slice(1)}` : found;
  }
  throw new Error('it is not bound');
}

/** __SO_ACCEPTCON: listen(2) has been called. */
const ACCEPTS = '00010000';

/** The inherited socket that is meant where a server wants to listen on `target`. */
export async function findInherited(
  sockets: readonly InheritedSocket[],
  target: ListenTarget,
): Promise<InheritedSocket | undefined> {
  if (target.kind === 'unix') {
    const wanted = toFullPath(target.path);
    return sockets.find(({ target: own }) => own.kind === 'unix' && toFullPath(own.path) === wanted);
  }
  const { port } = target;
  const onPort = sockets.filter(({ target: own }) => own.kind === 'tcp' && own.port === port);
  if (port === 0 || onPort.length === 0) return undefined;
  const isName = target.host !== null && isIP(target.host) === 0;
  const hosts = toHosts(isName ? await lookup(target) : target.host);
  const found = hosts.map((host) =>
    onPort.find(({ target: own }) => own.kind === 'tcp' && own.host === host),
  );
  return found.find((socket) => socket !== undefined);
}

/** The addresses of which one will do, best first. A socket for all of IPv6 has the IPv4 ones too, unless it was told not to. */
function toHosts(host: string | null): readonly string[] {
  if (host === null) return ['::', '0.0.0.0'];
  if (host === '0.0.0.0') return ['0.0.0.0', '::'];
  return [isIP(host) === 6 ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host];
}

function toFullPath(name: string): string {
  return name.startsWith('\0') ? name : path.resolve(name);
}
