/** A process with a WebSocketServer whose WebSockets its parent moves: the main file of what the tests here fork. */

import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket, WebSocketServer, type RawData } from 'ws';
import { createWebSocketKind } from '../../../src/runtime/web-sockets/web-socket-kind.ts';
import { createWebSocketRegistry } from '../../../src/runtime/web-sockets/web-socket-registry.ts';
import type { FrozenState } from '../../../src/runtime/servers/carry-kind.ts';
import type { ClientHandle } from '../../../src/runtime/servers/node-internals.ts';
import { carryWebSockets } from '../../../src/ws.ts';

const PUSH_INTERVAL_MS = 150;

/** What belongs to a connection. */
interface Session {
  received: number;
  pushed: number;
  pongs: number;
}

const registry = createWebSocketRegistry({ current: () => null });
const kind = createWebSocketKind(registry);
const httpServer = createServer().listen(0, '127.0.0.1');
const server = new WebSocketServer({ server: httpServer, perMessageDeflate: { threshold: 0 } });
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
  | { readonly type: 'arrive'; readonly carryId: number; readonly detail: string; readonly unread: string }
  | { readonly type: 'answer'; readonly carryId: number; readonly accepted: boolean };

const unanswered = new Map<number, (accepted: boolean) => void>();
let lastCarryId = 0;
const post = (message: object, handle?: object): void => void process.send?.(message, handle as never);

async function carry(): Promise<void> {
  const leaving = new Set(
    [...server.clients].map((webSocket) => toSocket(webSocket)).filter(kind.owns.bind(kind)),
  );
  kind.begin();
  while (leaving.size > 0) {
    for (const socket of leaving) {
      const state = kind.freeze(socket);
      if (state !== null) give(socket, state);
      if (state !== null || !kind.owns(socket)) leaving.delete(socket);
    }
    await sleep(2);
  }
  while (unanswered.size > 0) await sleep(1);
  kind.end();
  post({ type: 'carried' });
}

function give(socket: Socket, { detail, unread }: FrozenState): void {
  const carryId = ++lastCarryId;
  unanswered.set(carryId, (accepted) => {
    unanswered.delete(carryId);
    if (!accepted) return kind.thaw(socket);
    kind.letGo(socket, (id, frames) =>
      post({ type: 'late', id, frames: Buffer.from(frames).toString('base64') }),
    );
    socket.destroy();
  });
  post({ type: 'carry', carryId, detail, unread: unread.toString('base64') }, toHandle(socket));
}

/** What `ws` and Node keep to themselves. */
function toSocket(webSocket: WebSocket): Socket {
  return (webSocket as WebSocket & { _socket: Socket })._socket;
}

function toHandle(socket: Socket): object {
  return (socket as Socket & { _handle: object })._handle;
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
      return kind.onNote(message.id, Buffer.from(message.frames, 'base64'));
    case 'answer':
      return unanswered.get(message.carryId)?.(message.accepted);
    case 'arrive': {
      const { carryId } = message;
      try {
        const taken = await kind.take(
          handle as ClientHandle,
          { ...message, kind: '', address: '' },
          httpServer,
        );
        process.send?.({ type: 'answer', carryId, accepted: true }, () => taken.start());
      } catch (error) {
        post({ type: 'answer', carryId, accepted: false, reason: String(error) });
      }
    }
  }
});

process.once('disconnect', () => process.exit());
server.on('listening', () => post({ type: 'listening', ...(server.address() as object) }));
