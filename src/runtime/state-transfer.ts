/**
 * States from one process to another, over a Unix socket of their own. Owns one end of one transfer.
 *
 * 1. The receiver takes over everything in one step after all of it has come whole, or nothing.
 * 2. One state at a time is encoded and sent, and the loop goes round in between.
 *
 *   receiver                    sender
 *   listens, once
 *                               connects
 *   wanted: versions by name
 *                               state: name, version, checksum, bytes   (any number)
 *                               end: how many
 *   taken: problems by name
 */

import { hash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, rmSync } from 'node:fs';
import net from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { MidflightError } from '../errors.ts';
import { toErrorReport, toWorkerError, type ErrorReport, type StateFailure } from '../protocol/messages.ts';
import type { EncodedState } from './state-entry.ts';
import { createFrameReader, writeFrame, type FrameHeader, type FrameReader } from './state-frames.ts';
import type { StateEncoding, StateProblem, WantedStates } from './state.ts';

/** Unix socket paths end here on Linux: sockaddr_un. */
const SOCKET_PATH_BYTES_MAX = 107;

interface WantedHeader extends FrameHeader {
  readonly type: 'wanted';
  readonly versions: readonly (readonly [name: string, version: number | null])[];
}

interface StateHeader extends FrameHeader {
  readonly type: 'state';
  readonly name: string;
  readonly version: number;
  readonly sha256: string;
  readonly byteCount: number;
}

interface EndHeader extends FrameHeader {
  readonly type: 'end';
  readonly count: number;
}

interface TakenHeader extends FrameHeader {
  readonly type: 'taken';
  readonly problems: readonly StateFailure[];
}

interface FailedHeader extends FrameHeader {
  readonly type: 'failed';
  readonly error: ErrorReport;
}

type Header = WantedHeader | StateHeader | EndHeader | TakenHeader | FailedHeader;

export interface ReceiveOptions {
  readonly path: string;
  readonly timeoutMs: number;
  wanted(): WantedStates;
  /** Called with all of them. What it throws is the answer. */
  take(states: readonly EncodedState[]): Promise<readonly StateProblem[]>;
}

/** Opens the socket for one sender; resolves when it listens. `done` never rejects: the sender is told.
 *  Errors: ERR_MIDFLIGHT_STATE_TRANSFER_FAILED where the path is too long, or can't be bound. */
export async function receiveStates(options: ReceiveOptions): Promise<{ readonly done: Promise<void> }> {
  const server = await listen(options.path);
  const done = serveOne(server, options).catch(() => {
    // Nobody came in time, or the sender has gone: who asked for this hears of it from there.
  });
  return { done };
}

async function listen(path: string): Promise<net.Server> {
  const byteCount = Buffer.byteLength(path);
  if (byteCount > SOCKET_PATH_BYTES_MAX)
    throw failed(
      `the path ${path} has ${byteCount} bytes, and a Unix socket's ends at ${SOCKET_PATH_BYTES_MAX}; move the app to a directory with a shorter path`,
    );
  const server = net.createServer();
  rmSync(path, { force: true });
  const listening = once(server, 'listening');
  const mask = process.umask(0o177);
  server.listen(path);
  process.umask(mask);
  try {
    await listening;
  } catch (cause) {
    throw failed(`${path} can't be bound (${String(cause)})`, cause);
  }
  chmodSync(path, 0o600);
  return server;
}

async function serveOne(server: net.Server, options: ReceiveOptions): Promise<void> {
  const signal = AbortSignal.timeout(options.timeoutMs);
  try {
    const [socket] = (await once(server, 'connection', { signal })) as [net.Socket];
    server.close();
    await within(socket, signal, () => receive(socket, options));
  } finally {
    server.close();
  }
}

async function receive(socket: net.Socket, { wanted, take }: ReceiveOptions): Promise<void> {
  await write(socket, { type: 'wanted', versions: [...wanted()] });
  try {
    const problems = await take(await readStates(createFrameReader(socket)));
    const failures = problems.map(({ name, error }) => ({ name, error: toErrorReport(error) }));
    await write(socket, { type: 'taken', problems: failures });
  } catch (error) {
    await write(socket, { type: 'failed', error: toErrorReport(error) });
  }
  socket.end();
}

/** All states of a transfer.
 *  Errors: ERR_MIDFLIGHT_STATE_TRANSFER_FAILED where one is not what its checksum says, or not all have come. */
export async function readStates(reader: FrameReader): Promise<readonly EncodedState[]> {
  const states: EncodedState[] = [];
  for (;;) {
    const header = (await reader.header()) as Header;
    switch (header.type) {
      case 'state': {
        const { name, version, byteCount } = header;
        const bytes = await reader.body(byteCount);
        if (toChecksum(bytes) !== header.sha256) throw failed(`the state "${name}" came with other bytes`);
        states.push({ name, version, bytes });
        break;
      }
      case 'end':
        if (header.count === states.length) return states;
        throw failed(`${states.length} of ${header.count} states came`);
      default:
        throw failed(`"${header.type}" came in place of a state`);
    }
  }
}

export interface SendOptions {
  readonly path: string;
  readonly timeoutMs: number;
  encode(wanted: WantedStates): Iterable<StateEncoding>;
  /** Where it is given, a state that can't be encoded is left out; else it fails the transfer. */
  readonly onProblem?: (problem: StateProblem) => void;
}

export interface SentState {
  readonly name: string;
  readonly byteCount: number;
  readonly sha256: string;
  /** Taken to encode and to send it. */
  readonly durationMs: number;
}

export interface SentStates {
  readonly wanted: WantedStates;
  readonly states: readonly SentState[];
  /** What the receiver could not take over. */
  readonly problems: readonly StateFailure[];
}

/** Sends states to a process that listens for them; resolves when they have been taken over.
 *  Errors: ERR_MIDFLIGHT_STATE_TRANSFER_FAILED; those of encoding; what the receiver answered. */
export async function sendStates(options: SendOptions): Promise<SentStates> {
  const signal = AbortSignal.timeout(options.timeoutMs);
  const socket = net.connect({ path: options.path });
  try {
    return await within(socket, signal, () => send(socket, options));
  } catch (error) {
    if (error instanceof MidflightError) throw error;
    const problem = signal.aborted ? `it took longer than ${options.timeoutMs} ms` : describe(error);
    throw failed(problem, error);
  }
}

async function send(socket: net.Socket, { encode, onProblem }: SendOptions): Promise<SentStates> {
  const reader = createFrameReader(socket);
  const wanted = new Map(await readAs(reader, 'wanted').then(({ versions }) => versions));
  const states: SentState[] = [];
  for (const { name, encode: encodeOne } of encode(wanted)) {
    const startedAt = performance.now();
    const encoded = encodeOr(name, encodeOne, onProblem);
    if (encoded === null) continue;
    const { version, bytes } = encoded;
    const [sha256, byteCount] = [toChecksum(bytes), bytes.byteLength];
    await write(socket, { type: 'state', name, version, sha256, byteCount }, bytes);
    states.push({ name, byteCount, sha256, durationMs: performance.now() - startedAt });
    await nextTurn();
  }
  await write(socket, { type: 'end', count: states.length });
  const { problems } = await readAs(reader, 'taken');
  return { wanted, states, problems };
}

function encodeOr(
  name: string,
  encode: () => EncodedState,
  onProblem: ((problem: StateProblem) => void) | undefined,
): EncodedState | null {
  try {
    return encode();
  } catch (error) {
    if (onProblem === undefined) throw error;
    onProblem({ name, error });
    return null;
  }
}

async function write(socket: net.Socket, header: Header, body?: Uint8Array): Promise<void> {
  await writeFrame(socket, header, body);
}

async function readAs<Type extends Header['type']>(
  reader: FrameReader,
  type: Type,
): Promise<Extract<Header, { readonly type: Type }>> {
  const header = (await reader.header()) as Header;
  if (header.type === 'failed') throw toWorkerError(header.error);
  if (header.type !== type) throw failed(`"${header.type}" came in place of "${type}"`);
  return header as Extract<Header, { readonly type: Type }>;
}

/** Acts on a socket that is closed in the end, whatever happens, and by the signal. */
async function within<Result>(
  socket: net.Socket,
  signal: AbortSignal,
  act: () => Promise<Result>,
): Promise<Result> {
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);
  const onAbort = (): void => void socket.destroy(signal.reason as Error);
  socket.on('error', failure.reject);
  signal.addEventListener('abort', onAbort);
  try {
    return await Promise.race([act(), failure.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    // What has been written still goes out.
    socket.destroySoon();
  }
}

export function toChecksum(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex');
}

function failed(problem: string, cause?: unknown): MidflightError {
  return new MidflightError('ERR_MIDFLIGHT_STATE_TRANSFER_FAILED', [problem], { cause });
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
