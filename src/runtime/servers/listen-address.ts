/** Where a server wants to listen, as data that can cross processes, and the name by which generations find each other's listeners. */

import { isIP } from 'node:net';

export interface TcpListenAddress {
  readonly kind: 'tcp';
  /** An IP address or a host name; null is every address, IPv6 and IPv4. */
  readonly host: string | null;
  readonly port: number;
  /** Tells several listeners of port 0 apart, counted from 0 for each host; 0 where the port is known. */
  readonly ordinal: number;
  /** Only there, and true, when the server asked for it. */
  readonly ipv6Only?: true;
}

export interface UnixListenAddress {
  readonly kind: 'unix';
  readonly path: string;
}

export type ListenAddress = TcpListenAddress | UnixListenAddress;

/** The name of a listener: equal addresses of two generations have equal keys. */
export function toAddressKey(address: ListenAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  const key = `tcp:${address.host ?? '*'}:${address.port}`;
  const numbered = address.port === 0 ? `${key}#${address.ordinal}` : key;
  return address.ipv6Only ? `${numbered}!6` : numbered;
}

/** Whether `text`, such as `127.0.0.1:8080`, `:8080` or `unix:/path`, means it; the host is not looked at, as it has many names. */
export function isAddress(address: ListenAddress, text: string): boolean {
  if (address.kind === 'unix') return text === `unix:${address.path}`;
  return !text.startsWith('unix:') && text.endsWith(`:${address.port}`);
}

/** True when the kernel would not let both listen. Needed because two sockets that are only bound don't conflict yet. */
export function isConflict(one: ListenAddress, other: ListenAddress): boolean {
  if (one.kind === 'unix' || other.kind === 'unix') {
    return one.kind === 'unix' && other.kind === 'unix' && one.path === other.path;
  }
  if (one.port !== other.port || one.port === 0) return false;
  return one.host === other.host || covers(one, other) || covers(other, one);
}

function covers(wide: TcpListenAddress, narrow: TcpListenAddress): boolean {
  const family = narrow.host === null ? 0 : isIP(narrow.host);
  if (wide.host === '0.0.0.0') return family === 4;
  if (wide.host === '::' && wide.ipv6Only) return family === 6;
  return wide.host === null || wide.host === '::';
}
