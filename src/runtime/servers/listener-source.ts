/** Where the raw listening handles come from: this process, or a supervisor that outlives it. */

import dns from 'node:dns';
import { isIP } from 'node:net';
import util from 'node:util';

import { type ListenAddress, type TcpListenAddress, toAddressKey } from './listen-address.ts';
import { internalNet, type ListenerHandle, TCP_IPV6_ONLY } from './node-internals.ts';

export type { ListenerHandle };

/** Gives a handle that is bound and not listening, or fails with the errno exception that `listen()` would have given.
 *  One that answers without a promise makes `server.address()` right after `listen(0)` work as in Node. */
export interface ListenerSource {
  acquire(address: ListenAddress): ListenerHandle | Promise<ListenerHandle>;
  /** Another copy of a socket that was acquired. Only there where whoever binds is another process. */
  copy?(address: ListenAddress): Promise<ListenerHandle>;
}

export interface ErrnoException extends Error {
  errno: number;
  code: string;
  syscall: string;
  address?: string;
  port?: number;
}

/** The error that net.Server emits when it can't listen; the same message and fields. */
export function toListenError(errno: number, address: ListenAddress): ErrnoException {
  const code = util.getSystemErrorName(errno);
  const host = address.kind === 'unix' ? address.path : (address.host ?? '::');
  const port = address.kind === 'unix' ? -1 : address.port > 0 ? address.port : undefined;
  const where = port === undefined || port < 0 ? host : `${host}:${port}`;
  const error = new Error(`listen ${code}: ${util.getSystemErrorMessage(errno)} ${where}`);
  return Object.assign(error, { code, errno, syscall: 'listen', address: host, port });
}

/** Binds in this process. A port that the system chose for port 0 is asked for again when the same address is acquired again. */
export function createLocalListenerSource(): ListenerSource {
  const chosenPorts = new Map<string, number>();
  return {
    acquire(address) {
      if (address.kind === 'unix') return bind(address, address.path, -1, -1, 0);
      if (address.host === null || isIP(address.host) !== 0)
        return bindTcp(address, address.host, chosenPorts);
      return lookup(address).then((host) => bindTcp(address, host, chosenPorts));
    },
  };
}

/** The first IP address of a host name, as net's lookupAndListen takes it. */
export async function lookup(address: TcpListenAddress): Promise<string> {
  return (await dns.promises.lookup(address.host ?? '::')).address;
}

function bindTcp(
  address: TcpListenAddress,
  host: string | null,
  chosenPorts: Map<string, number>,
): ListenerHandle {
  if (address.port !== 0) return bindHost(address, host, address.port);
  const key = toAddressKey(address);
  const chosen = chosenPorts.get(key);
  const handle = (chosen !== undefined && tryBind(address, host, chosen)) || bindHost(address, host, 0);
  chosenPorts.set(key, portOf(handle));
  return handle;
}

function tryBind(address: TcpListenAddress, host: string | null, port: number): ListenerHandle | undefined {
  try {
    return bindHost(address, host, port);
  } catch {
    // Someone else has taken the port meanwhile, so any other will do.
    return undefined;
  }
}

function bindHost(address: TcpListenAddress, host: string | null, port: number): ListenerHandle {
  const flags = address.ipv6Only ? TCP_IPV6_ONLY : 0;
  // Without a host Node binds to all of IPv6, which includes IPv4, and to IPv4 where there is no IPv6.
  if (host !== null) return bind(address, host, port, isIP(host), flags);
  const dual = create('::', port, 6, flags);
  return typeof dual === 'number' ? bind(address, '0.0.0.0', port, 4, flags) : dual;
}

function bind(
  address: ListenAddress,
  host: string,
  port: number,
  family: number,
  flags: number,
): ListenerHandle {
  const handle = create(host, port, family, flags);
  if (typeof handle === 'number') throw toListenError(handle, address);
  return handle;
}

function create(host: string, port: number, family: number, flags: number): ListenerHandle | number {
  const handle = internalNet._createServerHandle(host, port, family, undefined, flags);
  if (typeof handle === 'number' || family === -1) return handle;
  // uv_tcp_bind keeps EADDRINUSE to itself until listen; getsockname tells it.
  const errno = handle.getsockname?.({}) ?? 0;
  if (errno === 0) return handle;
  handle.close();
  return errno;
}

function portOf(handle: ListenerHandle): number {
  const name: { port?: number } = {};
  handle.getsockname?.(name);
  return name.port ?? 0;
}
