/** Chat rooms over WebSockets, with the conversation in memory. */

import Fastify from 'fastify';
import { setTimeout as sleep } from 'node:timers/promises';
import { carryWebSockets } from 'midflight/ws';
import { WebSocketServer, type WebSocket } from 'ws';
import { messageVersion } from './message.ts';
import { conversation, join, leave, say } from './rooms.ts';
import { version } from './version.ts';

const app = Fastify();

app.get<{ Querystring: { ms?: string } }>('/', async ({ query }) => {
  const before = version;
  await sleep(Number(query.ms ?? 0));
  return { version: before, versionAfter: messageVersion, pid: process.pid };
});

app.get<{ Params: { name: string } }>('/rooms/:name', async ({ params }) => conversation(params.name));

/** What belongs to a connection. */
interface Seat {
  readonly room: string;
  readonly author: string;
}

const seats = new Map<WebSocket, Seat>();

function serve(socket: WebSocket, seat: Seat): void {
  const { room, author } = seat;
  seats.set(socket, seat);
  join(room, socket);
  socket.on('message', (data) => say(room, author, String(data)));
  socket.on('close', () => forget(socket));
}

function forget(socket: WebSocket): void {
  leave(seats.get(socket)?.room ?? '', socket);
  seats.delete(socket);
}

const webSockets = new WebSocketServer({ server: app.server });
webSockets.on('connection', (socket, { url = '/' }) => {
  const { searchParams } = new URL(url, 'http://localhost');
  serve(socket, {
    room: searchParams.get('room') ?? 'lobby',
    author: searchParams.get('name') ?? 'somebody',
  });
});

carryWebSockets(webSockets, {
  save: (socket) => seats.get(socket) ?? { room: 'lobby', author: 'somebody' },
  restore: serve,
  forget,
});

await app.listen({ port: Number(process.env['PORT'] ?? 3000), host: '127.0.0.1' });
