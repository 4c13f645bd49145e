/** A WebSocket that stays open and sends a message now and then; when it closes unasked, it is lost and comes back. */

import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket, type RawData } from 'ws';
import type { ClientOptions } from './clients.ts';

const THINK_MS = 100;
const RETURN_MS = 50;

/** Each message is answered by one that contains it. */
export async function webSocket({ origin, tally, signal }: ClientOptions): Promise<void> {
  while (!signal.aborted) {
    const socket = new WebSocket(`${origin.replace(/^http/, 'ws')}/`);
    try {
      await once(socket, 'open');
      tally.webSockets.opened++;
      await talk(socket, signal, () => tally.webSockets.messages++);
    } catch (error) {
      tally.failed('webSocket', error);
    }
    if (!signal.aborted) {
      tally.webSockets.lost++;
      await sleep(RETURN_MS);
    }
    socket.terminate();
  }
}

/** Returns when the socket has closed, or when it is time to stop. */
async function talk(socket: WebSocket, signal: AbortSignal, onMessage: () => void): Promise<void> {
  const closed = once(socket, 'close').then(() => null);
  const stopped = once(signal, 'abort').then(() => null);
  for (let count = 0; !signal.aborted && socket.readyState === WebSocket.OPEN; count++) {
    const text = `message ${count}`;
    const answered = waitForText(socket, text);
    socket.send(text);
    if ((await Promise.race([answered, closed, stopped])) === null) return;
    onMessage();
    await Promise.race([sleep(THINK_MS), closed, stopped]);
  }
}

function waitForText(socket: WebSocket, text: string): Promise<string> {
  return new Promise((resolve) => {
    const onMessage = (data: RawData): void => {
      const received = (data as Buffer).toString();
      if (!received.includes(text)) return;
      socket.off('message', onMessage);
      resolve(received);
    };
    socket.on('message', onMessage);
  });
}
