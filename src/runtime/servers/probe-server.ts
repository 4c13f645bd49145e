/** One HTTP GET to a server that may not be public yet, over a loopback connection that only this process knows. */

import http from 'node:http';
import net, { type Socket } from 'node:net';
import type { Readable } from 'node:stream';

import { MidflightError } from '../../errors.ts';
import type { AdoptedServer } from './adopted-server.ts';
import { type Door, openDoor } from './private-door.ts';
import { isTls } from './server-kind.ts';

const BODY_LENGTH_MAX = 512;

export interface ProbeOptions {
  readonly path: string;
  readonly timeoutMs: number;
}

export interface ProbeAnswer {
  readonly statusCode: number;
  /** Its beginning. */
  readonly body: string;
}

/** Errors: ERR_MIDFLIGHT_HEALTH_FAILED without an HTTP server, without an answer in time, or when the connection breaks. */
export async function probeServer(
  server: AdoptedServer | undefined,
  options: ProbeOptions,
): Promise<ProbeAnswer> {
  const fail = (reason: string, cause?: unknown): MidflightError =>
    new MidflightError('ERR_MIDFLIGHT_HEALTH_FAILED', [`GET ${options.path}`, reason], { cause });
  if (server === undefined) throw fail('no HTTP server listens');
  const signal = AbortSignal.timeout(options.timeoutMs);
  const door = openDoor(server, 'admitted');
  try {
    return await ask(server, door, options.path, signal);
  } catch (error) {
    if (signal.aborted) throw fail(`no answer in ${options.timeoutMs} ms`);
    throw fail(error instanceof Error ? error.message : String(error), error);
  } finally {
    door.close();
  }
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
      const body = readBeginning(response);
      response.on('end', () => resolve({ statusCode: response.statusCode ?? 0, body: body() }));
    });
  });
}

/** Reads all of it, and keeps what begins it. */
function readBeginning(stream: Readable): () => string {
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    if (text.length < BODY_LENGTH_MAX) text += chunk.toString();
  });
  return () => text.slice(0, BODY_LENGTH_MAX);
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
        const body = readBeginning(stream);
        stream.on('end', () => resolve({ statusCode: headers[':status'] ?? 0, body: body() }));
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

export interface ConnectOptions {
  readonly timeoutMs: number;
  /** Whoever breaks a connection has done so by then. */
  readonly keptMs: number;
}

/** Whether the server takes a connection and keeps it, or says something; else what was seen. */
export async function connectToServer(
  server: AdoptedServer,
  { timeoutMs, keptMs }: ConnectOptions,
): Promise<string | null> {
  const door = openDoor(server, 'admitted');
  const socket = net.connect({ host: '127.0.0.1', port: door.port, timeout: timeoutMs });
  const { promise, resolve } = Promise.withResolvers<string | null>();
  socket.on('timeout', () => resolve(`no connection in ${timeoutMs} ms`));
  socket.on('error', ({ message }) => resolve(message));
  socket.on('end', () => resolve('the server closed the connection at once'));
  socket.on('data', () => resolve(null));
  // Timers come before news in a turn of the event loop, and this process may have stood still.
  socket.on('connect', () => setTimeout(() => setImmediate(() => resolve(null)), keptMs).unref());
  admitOnConnect(socket, door);
  try {
    return await promise;
  } finally {
    socket.destroy();
    door.close();
  }
}
