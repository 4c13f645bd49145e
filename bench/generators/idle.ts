/** Kept connections that ask once, say nothing for long, and ask again in the end. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { serveGenerator, startGenerator, type Generator } from './generator.ts';

export interface IdleOptions {
  readonly port: number;
  readonly count: number;
}

export interface IdleOutcome {
  readonly opened: number;
  /** Closed, reset, or without an answer to the second request. */
  readonly failed: number;
  /** The second answer came from another process than the first. */
  readonly moved: number;
}

const AT_ONCE = 50;
const REQUEST = 'GET / HTTP/1.1\r\nhost: localhost\r\n\r\n';
const ANSWER_MS_MAX = 10_000;
const file = fileURLToPath(import.meta.url);

export async function startIdleConnections(options: IdleOptions): Promise<Generator<IdleOutcome>> {
  return startGenerator(file, options);
}

interface Connection {
  readonly socket: Socket;
  readonly pid: string | null;
}

function start({ port, count }: IdleOptions): Generator<IdleOutcome> {
  const opening = inBatches(Array.from({ length: count }), async (): Promise<Connection> => {
    const socket = connect({ port, host: '127.0.0.1' });
    // A reset: 'close' follows.
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return { socket, pid: await ask(socket) };
  });
  return {
    async stop() {
      const connections = await opening;
      const pids = await inBatches(connections, async ({ socket }) => ask(socket));
      const moved = connections.filter(({ pid }, index) => pids[index] !== null && pids[index] !== pid);
      return {
        opened: connections.length,
        failed: pids.filter((pid) => pid === null).length,
        moved: moved.length,
      };
    },
  };
}

async function inBatches<Item, Value>(
  items: readonly Item[],
  act: (item: Item) => Promise<Value>,
): Promise<Value[]> {
  const values: Value[] = [];
  for (let from = 0; from < items.length; from += AT_ONCE)
    values.push(...(await Promise.all(items.slice(from, from + AT_ONCE).map(act))));
  return values;
}

/** The process that answers, or null. */
async function ask(socket: Socket): Promise<string | null> {
  if (socket.destroyed || socket.readableEnded) return null;
  const { promise, resolve } = Promise.withResolvers<string | null>();
  let text = '';
  const onData = (chunk: Buffer): void => {
    text += chunk.toString('latin1');
    const pid = /"pid":(\d+)\}/.exec(text)?.[1];
    if (pid !== undefined) resolve(pid);
  };
  const onClose = (): void => resolve(null);
  const timer = setTimeout(onClose, ANSWER_MS_MAX);
  socket.on('data', onData).on('close', onClose);
  socket.write(REQUEST);
  const pid = await promise;
  clearTimeout(timer);
  socket.off('data', onData).off('close', onClose);
  // Nothing is to come; what a close would be must be seen all the same.
  socket.resume();
  return pid;
}

if (process.argv[1] === file) await serveGenerator(start);
