/** A WebSocket that stays open and sends a message now and then; when it closes unasked, it is lost and comes back. */

import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket, type RawData } from 'ws';
import type { ClientOptions } from './clients.ts';
import { toThinkMs, type ThinkTime } from './think-time.ts';

/** Random, so that those that were closed together do not all come back at once. */
const RETURN: ThinkTime = [25, 500];
/** A message that is not answered by then never is: the socket leads nowhere. */
const ANSWER_MS_MAX = 10_000;

/** Each message is answered by one that contains it. */
export async function webSocket({ origin, tally, signal, think }: ClientOptions): Promise<void> {
  while (!signal.aborted) {
    const socket = new WebSocket(`${origin.replace(/^http/, 'ws')}/`, { perMessageDeflate: false });
    try {
      await once(socket, 'open');
      tally.webSockets.opened++;
      await talk(socket, { signal, think }, () => tally.webSockets.messages++);
      if (!signal.aborted) tally.webSockets.lost++;
    } catch (error) {
      tally.failed('webSocket', error);
    }
    if (!signal.aborted) await sleep(toThinkMs(RETURN));
    socket.terminate();
  }
}

/** Returns when the socket has closed or leads nowhere, or when it is time to stop. */
async function talk(
  socket: WebSocket,
  { signal, think }: Pick<ClientOptions, 'signal' | 'think'>,
  onMessage: () => void,
): Promise<void> {
  const closed = new Promise<null>((resolve) => socket.on('close', () => resolve(null)));
  // A reset: 'close' follows.
  socket.on('error', () => undefined);
  const stopped = once(signal, 'abort').then(() => null);
  for (let count = 0; !signal.aborted && socket.readyState === WebSocket.OPEN; count++) {
    const text = `message ${count}`;
    const answered = waitForText(socket, text);
    socket.send(text);
    const late = sleep(ANSWER_MS_MAX, null, { ref: false });
    if ((await Promise.race([answered, closed, stopped, late])) === null) return;
    onMessage();
    await Promise.race([sleep(toThinkMs(think)), closed, stopped]);
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
