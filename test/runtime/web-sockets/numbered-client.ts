/** A client that numbers what it says and checks the order of what it hears. */

import { once } from 'node:events';
import { setImmediate as tick } from 'node:timers/promises';
import { WebSocket, type RawData } from 'ws';

const LARGE_BYTES = 150_000;

export interface Tally {
  sent: number;
  echoed: number;
  late: number;
  pushes: number;
  pongs: number;
  readonly faults: string[];
}

export interface NumberedClient {
  readonly tally: Tally;
  readonly socket: WebSocket;
  /** Says no more, and resolves when all that was said is answered. */
  finish(): Promise<void>;
}

export interface NumberedClientOptions {
  readonly port: number;
  readonly index: number;
  /** Between two messages. */
  readonly pauseMs: number;
}

/** Connects, and talks until it is told to finish. */
export async function startNumberedClient({
  port,
  index,
  pauseMs,
}: NumberedClientOptions): Promise<NumberedClient> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/?a=1`, {
    perMessageDeflate: index % 40 === 0,
    headers: { 'x-test': 'yes' },
  });
  const tally: Tally = { sent: 0, echoed: 0, late: 0, pushes: 0, pongs: 0, faults: [] };
  /** What is to be echoed, in order, and the numbers that are answered late. */
  const echoes: { number: number; length: number }[] = [];
  const lates = new Map<number, number>();
  let isTalking = true;
  socket.on('message', (data: RawData, isBinary) => hear(data as Buffer, isBinary));
  socket.on('pong', (data) => {
    if (Number(data) !== tally.pongs++) tally.faults.push(`pong ${String(data)}`);
  });
  socket.on('close', (code, reason) => {
    if (isTalking) tally.faults.push(`closed ${code} ${String(reason)}`);
  });
  socket.on('error', (error) => tally.faults.push(String(error)));
  await once(socket, 'open');

  function hear(data: Buffer, isBinary: boolean): void {
    const [word, number = '', length = ''] = isBinary
      ? ['binary']
      : data.toString('latin1', 0, 40).split(/:? /);
    if (word === 'push') {
      if (Number(number) !== tally.pushes++) tally.faults.push(`push ${number}, not ${tally.pushes - 1}`);
    } else if (word === 'late') {
      if (lates.get(Number(number)) !== Number(length)) tally.faults.push(`late ${number} ${length}`);
      lates.delete(Number(number));
      tally.late++;
    } else if (word === 'wrong') tally.faults.push(data.toString());
    else hearEcho(data);
  }

  function hearEcho(data: Buffer): void {
    const expected = echoes.shift();
    const number = Number(data.toString('latin1', 0, 8));
    if (expected?.number !== number || expected.length !== data.length)
      tally.faults.push(`echo ${number} of ${data.length}, not ${JSON.stringify(expected)}`);
    tally.echoed++;
  }

  async function say(number: number): Promise<void> {
    const isLarge = number % 8 === index % 8;
    const body = Buffer.alloc(isLarge ? LARGE_BYTES : 8 + (number % 200), `${number} of ${index}.`);
    body.write(String(number).padStart(8, '0'), 0, 'latin1');
    if (number % 5 === 0) lates.set(number, body.length);
    else echoes.push({ number, length: body.length });
    const binary = number % 3 === 0;
    if (!isLarge) return socket.send(body, { binary });
    for (const [at, fin] of [
      [0, false],
      [50_000, false],
      [100_000, true],
    ] as const) {
      socket.send(body.subarray(at, fin ? undefined : at + 50_000), { binary, fin });
      await tick();
    }
  }

  const talking = (async (): Promise<void> => {
    let pings = 0;
    while (isTalking && socket.readyState === WebSocket.OPEN) {
      await say(tally.sent++);
      if (tally.sent % 7 === 0) socket.ping(String(pings++));
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  })();

  return {
    tally,
    socket,
    async finish() {
      isTalking = false;
      await talking;
      while ((echoes.length > 0 || lates.size > 0) && socket.readyState === WebSocket.OPEN) {
        const waiting = new AbortController();
        const { signal } = waiting;
        await Promise.race([once(socket, 'message', { signal }), once(socket, 'close', { signal })]);
        waiting.abort();
      }
      if (echoes.length + lates.size > 0)
        tally.faults.push(`${echoes.length} and ${lates.size} never answered`);
      socket.terminate();
    },
  };
}
