/**
 * Asks an address over HTTP until a process of one tree has answered, however many others accept from the same socket.
 *
 * A connection is accepted by whoever is the quickest, so an answer alone says nothing of the new process. But a request that has not
 * ended yet is answered by nobody: it is sent but for its last line, then the table of connections tells which process has
 * accepted it, and only then does it end. On a Unix socket no table tells whose it is: there the tree must have gained a
 * connection of that path. Where there is no /proc, the answer counts, whoever gave it.
 */

import { once } from 'node:events';
import { existsSync } from 'node:fs';
import net, { type Socket } from 'node:net';
import { addAbortSignal } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ListenTarget } from '../protocol/messages.ts';
import { listProcessTree, listSockets } from './process-tree.ts';
import { findServerInode, type Connection } from './tcp-table.ts';
import { listUnixConnections } from './unix-table.ts';

/** So many are under way at once: where the old process is busy with one, the new one takes the next. */
const PROBES_AT_ONCE = 3;
const PAUSE_MS = 20;
/** Time between two looks at the table. */
const LOOK_MS = 5;
const ANSWER_BYTES_MAX = 4_096;
/** Another process than ours has accepted, if it can't be seen that ours has by then; of a Unix socket only. */
const UNIX_ACCEPT_MS = 200;

export interface ProbeOptions {
  readonly target: ListenTarget;
  /** Null where it is enough that the tree takes the connection. */
  readonly path: string | null;
  /** The process whose tree has to answer. */
  readonly pid: number;
  readonly timeoutMs: number;
  /** Ask until the tree gives a good answer, or until it gives any. */
  readonly until: 'good' | 'answered';
  /** Ends it early. */
  readonly signal?: AbortSignal;
}

export interface ProbeOutcome {
  readonly isServing: boolean;
  /** True when it was the tree that answered. */
  readonly isAnswered: boolean;
  /** What was last seen, in words. */
  readonly seen: string;
}

/** Resolves when the tree has answered with 200 to 399, or at the deadline with what was answered instead. */
export async function probeServing(options: ProbeOptions): Promise<ProbeOutcome> {
  const deadline = AbortSignal.timeout(options.timeoutMs);
  const signal = options.signal === undefined ? deadline : AbortSignal.any([deadline, options.signal]);
  const found = new AbortController();
  const both = AbortSignal.any([signal, found.signal]);
  let seen = options.path === null ? 'nobody took a connection' : `GET ${options.path} was not answered`;
  let isServing = false;
  const repeat = async (): Promise<void> => {
    while (!both.aborted) {
      const outcome = await probeOnce(options, both);
      if (!found.signal.aborted && outcome.seen !== '') ({ seen } = outcome);
      if (outcome.isServing) isServing = true;
      if (outcome.isServing || (options.until === 'answered' && outcome.isAnswered)) found.abort();
      await sleep(PAUSE_MS, null, { signal: both }).catch(() => null);
    }
  };
  await Promise.all(Array.from({ length: PROBES_AT_ONCE }, repeat));
  return { isServing, isAnswered: found.signal.aborted, seen };
}

async function probeOnce(options: ProbeOptions, signal: AbortSignal): Promise<ProbeOutcome> {
  const { target, path } = options;
  const before = target.kind === 'unix' ? listAccepted(options.pid, target.path) : [];
  const socket = addAbortSignal(signal, connect(target));
  try {
    await once(socket, 'connect');
    if (path === null) return await probeTaken(options, { socket, before, signal });
    const host = toHost(target);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: midflight\r\nConnection: close\r\n`);
    const isOurs = await waitForOwner(options, { socket, before, signal });
    socket.write('\r\n');
    const [, status = ''] = /^HTTP\/1\.[01] (\d{3})/.exec(await readAnswer(socket)) ?? [];
    if (!isOurs)
      return { isServing: false, isAnswered: false, seen: 'only other processes accepted the connections' };
    const seen = `GET ${path} was answered ${status === '' ? 'by something else than HTTP' : `by ${status}`}`;
    return { isServing: /^[23]/.test(status), isAnswered: true, seen };
  } catch (error) {
    const { code, name, message } = error as NodeJS.ErrnoException;
    const isLate = name === 'AbortError' || name === 'TimeoutError';
    return {
      isServing: false,
      isAnswered: false,
      seen: isLate ? '' : `GET ${path} failed: ${code ?? message}`,
    };
  } finally {
    socket.destroy();
  }
}

async function probeTaken(options: ProbeOptions, held: HeldRequest): Promise<ProbeOutcome> {
  const isOurs = await waitForOwner(options, held);
  const seen = isOurs ? 'the connection was taken' : 'only other processes accepted the connections';
  return { isServing: isOurs, isAnswered: isOurs, seen };
}

function connect(target: ListenTarget): Socket {
  const socket = target.kind === 'unix' ? net.connect({ path: target.path }) : connectTcp(target);
  // Who awaits something of it gets the error; nobody does at its end.
  return socket.on('error', () => null);
}

function connectTcp({ host, port }: ListenTarget & { readonly kind: 'tcp' }): Socket {
  if (host === null || host === '0.0.0.0') return net.connect({ host: '127.0.0.1', port });
  return net.connect({ host: host === '::' ? '::1' : host, port });
}

function toHost(target: ListenTarget): string {
  if (target.kind === 'unix') return 'localhost';
  const host = target.host ?? 'localhost';
  return `${host.includes(':') ? `[${host}]` : host}:${target.port}`;
}

interface HeldRequest {
  readonly socket: Socket;
  /** The connections of a Unix socket that the tree had before. */
  readonly before: readonly string[];
  readonly signal: AbortSignal;
}

/** Resolves when somebody has accepted the connection: with true when that is a process of the tree. */
async function waitForOwner({ target, pid }: ProbeOptions, held: HeldRequest): Promise<boolean> {
  if (!existsSync('/proc/net/tcp')) return true;
  const { socket, before, signal } = held;
  for (const startedAt = performance.now(); ;) {
    if (target.kind === 'unix') {
      if (listAccepted(pid, target.path).some((inode) => !before.includes(inode))) return true;
      if (performance.now() - startedAt > UNIX_ACCEPT_MS) return false;
    } else {
      const inode = await findServerInode(toConnection(socket));
      if (inode !== null) return listTreeSockets(pid).has(inode);
    }
    await sleep(LOOK_MS, null, { signal });
    if (socket.destroyed || socket.readableEnded) return false;
  }
}

function toConnection(socket: Socket): Connection {
  const { localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 } = socket;
  return { localAddress, localPort, remoteAddress, remotePort };
}

function listAccepted(pid: number, path: string): string[] {
  const sockets = listTreeSockets(pid);
  return listUnixConnections(path).filter((inode) => sockets.has(inode));
}

function listTreeSockets(pid: number): ReadonlySet<string> {
  return new Set(listProcessTree(pid).flatMap((member) => [...listSockets(member).values()]));
}

/** Its first line at least. */
async function readAnswer(socket: Socket): Promise<string> {
  let text = '';
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    text += chunk.toString('latin1');
    if (text.includes('\n') || text.length > ANSWER_BYTES_MAX) break;
  }
  return text;
}
