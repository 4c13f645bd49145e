/** One HTTP GET to a server that may not be public yet, over a loopback connection that only this process knows. */

import http from 'node:http';
import type { Socket } from 'node:net';

import { MidflightError } from '../../errors.ts';
import type { AdoptedServer } from './adopted-server.ts';
import { deliver } from './hub.ts';
import { type ClientHandle, internalNet, type ListenerHandle, type SocketName } from './node-internals.ts';
import { isTls } from './server-kind.ts';

export interface ProbeOptions {
  readonly path: string;
  readonly timeoutMs: number;
}

export interface ProbeAnswer {
  readonly statusCode: number;
}

/** Errors: ERR_MIDFLIGHT_HEALTH_FAILED without an HTTP server, without an answer in time, or when the connection breaks. */
export async function probeServer(
  server: AdoptedServer | undefined,
  options: ProbeOptions,
): Promise<ProbeAnswer> {
  const fail = (reason: string, cause?: unknown): MidflightError =>
    new MidflightError('ERR_MIDFLIGHT_HEALTH_FAILED', [options.path, reason], { cause });
  if (server === undefined) throw fail('no HTTP server listens');
  const signal = AbortSignal.timeout(options.timeoutMs);
  const door = openDoor(server);
  try {
    return await ask(server, door, options.path, signal);
  } catch (error) {
    if (signal.aborted) throw fail(`no answer in ${options.timeoutMs} ms`);
    throw fail(error instanceof Error ? error.message : String(error), error);
  } finally {
    door.handle.close();
  }
}

interface Door {
  readonly handle: ListenerHandle;
  readonly port: number;
  /** Lets the connection from this local port in. Any other process that connects is turned away. */
  admit(port: number): void;
}

interface PeerHandle extends ClientHandle {
  getpeername(out: SocketName): number;
}

function openDoor(server: AdoptedServer): Door {
  const handle = internalNet._createServerHandle('127.0.0.1', 0, 4);
  if (typeof handle === 'number') throw new Error(`can't bind to 127.0.0.1: errno ${handle}`);
  const waiting = new Map<number, PeerHandle>();
  let admitted: number | undefined;
  const match = (): void => {
    const client = admitted === undefined ? undefined : waiting.get(admitted);
    if (client === undefined) return;
    for (const [port, other] of waiting) if (port !== admitted) other.close();
    waiting.clear();
    deliver(server, 0, client);
  };
  handle.onconnection = (errno, client) => {
    if (errno !== 0) return;
    waiting.set(
      nameOf((name) => (client as PeerHandle).getpeername(name)),
      client as PeerHandle,
    );
    match();
  };
  handle.listen(1);
  const admit = (port: number): void => {
    admitted = port;
    match();
  };
  return { handle, port: nameOf((name) => handle.getsockname?.(name)), admit };
}

function nameOf(read: (name: SocketName) => unknown): number {
  const name: SocketName = {};
  read(name);
  return name.port ?? 0;
}

async function ask(
  server: AdoptedServer,
  door: Door,
  path: string,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const isSecure = isTls(server.server);
  const base = { host: '127.0.0.1', port: door.port, signal };
  if (server.kind === 'http2') return askHttp2({ isSecure, door, path, signal });
  const headers = { host: 'localhost', connection: 'close', 'user-agent': 'midflight-health' };
  const options = { ...base, path, headers, agent: false, rejectUnauthorized: false } as const;
  const request = isSecure ? (await import('node:https')).get(options) : http.get(options);
  request.on('socket', (socket) => admitOnConnect(socket, door));
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      response.on('error', reject);
      response.on('end', () => resolve({ statusCode: response.statusCode ?? 0 }));
      response.resume();
    });
  });
}

interface Http2Question {
  readonly isSecure: boolean;
  readonly door: Door;
  readonly path: string;
  readonly signal: AbortSignal;
}

async function askHttp2({ isSecure, door, path, signal }: Http2Question): Promise<ProbeAnswer> {
  const http2 = await import('node:http2');
  const scheme = isSecure ? 'https' : 'http';
  const session = http2.connect(`${scheme}://127.0.0.1:${door.port}`, { rejectUnauthorized: false });
  admitOnConnect(session.socket, door);
  try {
    return await new Promise((resolve, reject) => {
      session.on('error', reject);
      const stream = session.request({ ':path': path }, { signal });
      stream.on('error', reject);
      stream.on('response', (headers) => {
        stream.on('end', () => resolve({ statusCode: headers[':status'] ?? 0 }));
        stream.resume();
      });
    });
  } finally {
    session.destroy();
  }
}

function admitOnConnect(socket: Socket, door: Door): void {
  if (socket.localPort !== undefined) door.admit(socket.localPort);
  else socket.once('connect', () => door.admit(socket.localPort ?? 0));
}
