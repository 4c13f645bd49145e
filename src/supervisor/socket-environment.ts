/** The variables by which programs know the sockets that they inherit: those of systemd, and of others that say no more than which
 *  descriptors there are. The private ones of one server to its own next process are not among them. */

import type { ListenTarget } from '../protocol/messages.ts';
import { parseListenTarget } from './listeners.ts';

/** The first inherited descriptor of the systemd protocol: SD_LISTEN_FDS_START. */
export const LISTEN_FDS_START = 3;

export interface InheritedSocket {
  readonly name: string;
  readonly target: ListenTarget;
  readonly fd: number;
}

/** Parses `listen`: addresses, each with a name where it is written `name=address`. */
export function parseInheritedSockets(listen: readonly string[]): readonly InheritedSocket[] {
  return listen.map((text, index) => {
    const [, name, address = ''] = /^(?:([\w.-]+)=)?(.*)$/.exec(text) ?? [];
    const target = parseListenTarget(address, index);
    return { name: name ?? address.replaceAll(':', '_'), target, fd: LISTEN_FDS_START + index };
  });
}

/** What tells a program of its sockets. `LISTEN_PID` is set by its parent. */
export function toSocketEnvironment(sockets: readonly InheritedSocket[]): Record<string, string> {
  const fds = sockets.map(({ fd }) => String(fd));
  return {
    LISTEN_FDS: String(sockets.length),
    LISTEN_FDNAMES: sockets.map(({ name }) => name).join(':'),
    NGINX: fds.map((fd) => `${fd};`).join(''),
    SERVER_STARTER_PORT: sockets.map(({ target, fd }) => `${toStarterName(target)}=${fd}`).join(';'),
    EINHORN_FDS: fds.join(' '),
    EINHORN_FD_COUNT: String(sockets.length),
    ...Object.fromEntries(fds.map((fd, index) => [`EINHORN_FD_${index}`, fd])),
  };
}

/** Server::Starter: a path, or a host and a port, or a port. */
function toStarterName(target: ListenTarget): string {
  if (target.kind === 'unix') return target.path;
  if (target.host === null) return String(target.port);
  return `${target.host.includes(':') ? `[${target.host}]` : target.host}:${target.port}`;
}
