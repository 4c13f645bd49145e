/** Reads the arguments of net.Server#listen. What is not plainly a port or a path is left to Node, which also rejects what is wrong. */

import { internalNet } from './node-internals.ts';

interface CommonRequest {
  readonly backlog: number;
  readonly callback: (() => void) | null;
  readonly signal: AbortSignal | undefined;
}

export interface TcpListenRequest extends CommonRequest {
  readonly kind: 'tcp';
  readonly host: string | null;
  readonly port: number;
  readonly isIpv6Only: boolean;
}

export interface UnixListenRequest extends CommonRequest {
  readonly kind: 'unix';
  readonly path: string;
  /** Bits of uv_pipe_chmod: 1 readable by all, 2 writable by all. */
  readonly mode: number;
}

export type ListenRequest = TcpListenRequest | UnixListenRequest;

const DEFAULT_BACKLOG = 511;
const PORT_MAX = 65_535;

/** What `listen(...args)` asks for; null for fds, handles, other servers and everything that Node rejects. */
export function toListenRequest(args: readonly unknown[]): ListenRequest | null {
  const [options, callback] = internalNet._normalizeArgs(args);
  if (isForeign(options)) return null;
  const signal = options['signal'];
  if (signal !== undefined && !(signal instanceof AbortSignal)) return null;
  const backlog = toBacklog(options['backlog'], args[1], args[2]);
  const common = { backlog, callback, signal };
  const port = isAnyPort(args, options) ? 0 : options['port'];
  if (typeof port === 'number' || typeof port === 'string') return toTcpRequest(options, port, common);
  return toUnixRequest(options, common);
}

function isForeign(options: Record<string, unknown>): boolean {
  if (options['_handle'] || options['handle']) return true;
  if (typeof options['fd'] === 'number' && options['fd'] >= 0) return true;
  // A raw handle, or net.BoundSocket (24.21 on): not a plain options object.
  return typeof options['getsockname'] === 'function' || options.constructor?.name === 'BoundSocket';
}

/** `listen()`, `listen(callback)`, `listen(null)` and `{ port: undefined }` mean any port. */
function isAnyPort(args: readonly unknown[], options: Record<string, unknown>): boolean {
  if (args.length === 0 || typeof args[0] === 'function') return true;
  return options['port'] === null || ('port' in options && options['port'] === undefined);
}

function toTcpRequest(options: Record<string, unknown>, port: number | string, common: CommonRequest) {
  const number = typeof port === 'string' && port.trim() === '' ? Number.NaN : Number(port);
  if (!Number.isInteger(number) || number < 0 || number > PORT_MAX) return null;
  const host = options['host'];
  if (host && typeof host !== 'string') return null;
  const isIpv6Only = options['ipv6Only'] === true;
  return {
    kind: 'tcp',
    host: typeof host === 'string' && host !== '' ? host : null,
    port: number,
    isIpv6Only,
    ...common,
  } as const;
}

function toUnixRequest(options: Record<string, unknown>, common: CommonRequest): UnixListenRequest | null {
  const path = options['path'];
  if (typeof path !== 'string' || path === '') return null;
  const mode = (options['readableAll'] === true ? 1 : 0) | (options['writableAll'] === true ? 2 : 0);
  if (path.startsWith('\0') && mode !== 0) return null;
  return { kind: 'unix', path, mode, ...common };
}

function toBacklog(...candidates: readonly unknown[]): number {
  for (const candidate of candidates) {
    const number = typeof candidate === 'function' ? 0 : Number(candidate);
    if (number > 0) return number;
  }
  return DEFAULT_BACKLOG;
}
