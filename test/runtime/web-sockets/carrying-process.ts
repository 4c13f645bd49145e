/** A process with a WebSocketServer whose WebSockets its parent moves: the main file of what the tests here fork. */

import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket, WebSocketServer, type RawData } from 'ws';
import { createWebSocketCarrier } from '../../../src/runtime/web-sockets/web-socket-carrier.ts';
import { createWebSocketRegistry } from '../../../src/runtime/web-sockets/web-socket-registry.ts';
import type { StreamHandle } from '../../../src/runtime/web-sockets/ws-internals.ts';
import { carryWebSockets } from '../../../src/ws.ts';

const PUSH_INTERVAL_MS = 60;

/** What belongs to a connection. */
interface Session {
  received: number;
  pushed: number;
  pongs: number;
}

const registry = createWebSocketRegistry({ current: () => null });
const carrier = createWebSocketCarrier(registry);
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: { threshold: 0 } });
const sessions = new Map<WebSocket, Session>();
const timers = new Map<WebSocket, NodeJS.Timeout>();
let failRestore = 0;

/** Numbers what comes and goes, so that whatever is lost, doubled or out of order is seen. */
function serve(webSocket: WebSocket, session: Session): void {
  sessions.set(webSocket, session);
  push(webSocket, session);
  webSocket.on(
    'message',
    (data: RawData, isBinary) => void answer(webSocket, session, data as Buffer, isBinary),
  );
  webSocket.on('pong', (data) => {
    if (Number(data) !== session.pongs++) webSocket.send(`wrong: pong ${String(data)}`);
  });
  webSocket.on('close', () => {
    clearInterval(timers.get(webSocket));
    sessions.delete(webSocket);
  });
}

function push(webSocket: WebSocket, session: Session): void {
  const timer = setInterval(() => {
    webSocket.send(`push: ${session.pushed}`);
    if (session.pushed++ % 10 === 0) webSocket.ping(String(Math.floor(session.pushed / 10)));
  }, PUSH_INTERVAL_MS);
  timers.set(webSocket, timer);
}

async function answer(
  webSocket: WebSocket,
  session: Session,
  data: Buffer,
  isBinary: boolean,
): Promise<void> {
  const number = Number(data.toString('latin1', 0, 8));
  if (number !== session.received++) webSocket.send(`wrong: ${number}, not ${session.received - 1}`);
  // Some work takes its time, and ends when the connection has gone.
  if (number % 5 === 0) await sleep(20);
  webSocket.send(number % 5 === 0 ? `late: ${number} ${data.length}` : data, {
    binary: isBinary && number % 5 !== 0,
  });
}

server.on('connection', (webSocket) => serve(webSocket, { received: 0, pushed: 0, pongs: 0 }));

carryWebSockets(server, {
  save(webSocket) {
    clearInterval(timers.get(webSocket));
    return sessions.get(webSocket) as Session;
  },
  restore(webSocket, session, { url, headers, socket }) {
    if (failRestore > 0 && failRestore-- > 0) throw new Error('not here');
    if (url !== '/?a=1' || headers['x-test'] !== 'yes' || socket.remoteAddress === undefined)
      throw new Error(`not the request: ${url}`);
    serve(webSocket, session);
  },
  forget: (webSocket) => sessions.delete(webSocket),
  keep: (webSocket) => push(webSocket, sessions.get(webSocket) as Session),
});

type FromParent =
  | { readonly type: 'carry'; readonly failRestore?: number }
  | { readonly type: 'failRestore'; readonly count: number }
  | { readonly type: 'count' }
  | { readonly type: 'late'; readonly id: string; readonly frames: string }
  | { readonly type: 'arrive'; readonly carryId: number; readonly payload: string; readonly unread: string }
  | { readonly type: 'answer'; readonly carryId: number; readonly accepted: boolean };

const unanswered = new Map<number, (accepted: boolean) => void>();
let lastCarryId = 0;
const post = (message: object, handle?: object): void => void process.send?.(message, handle as never);

async function carry(): Promise<void> {
  carrier.hold();
  let isComplete = false;
  for (;;) {
    const frozen = carrier.next();
    if (frozen === 'none') break;
    if (frozen === 'busy') {
      await sleep(2);
      continue;
    }
    const carryId = ++lastCarryId;
    const payload = frozen.payload.toString('base64');
    const unread = frozen.unread.toString('base64');
    unanswered.set(carryId, (accepted) => {
      unanswered.delete(carryId);
      if (!accepted) frozen.takeBack();
      else
        frozen.accepted((frames) =>
          post({ type: 'late', id: frozen.id, frames: Buffer.from(frames).toString('base64') }),
        );
      if (unanswered.size === 0 && isComplete) post({ type: 'carried' });
    });
    post({ type: 'carry', carryId, payload, unread }, frozen.handle);
  }
  isComplete = true;
  if (unanswered.size === 0) post({ type: 'carried' });
}

process.on('message', async (message: FromParent, handle: unknown) => {
  switch (message.type) {
    case 'carry':
      return carry();
    case 'failRestore':
      failRestore = message.count;
      return;
    case 'count':
      return post({ type: 'count', sessions: sessions.size, clients: server.clients.size });
    case 'late':
      return carrier.receiveLate(message.id, Buffer.from(message.frames, 'base64'));
    case 'answer':
      return unanswered.get(message.carryId)?.(message.accepted);
    case 'arrive': {
      const { carryId } = message;
      const [payload, unread] = [
        Buffer.from(message.payload, 'base64'),
        Buffer.from(message.unread, 'base64'),
      ];
      try {
        const arrived = await carrier.receive({ handle: handle as StreamHandle, payload, unread });
        process.send?.({ type: 'answer', carryId, accepted: true }, () => arrived.begin());
      } catch (error) {
        post({ type: 'answer', carryId, accepted: false, reason: String(error) });
      }
    }
  }
});

process.once('disconnect', () => process.exit());
server.on('listening', () => post({ type: 'listening', ...(server.address() as object) }));
